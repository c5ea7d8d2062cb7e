// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.ops.Activation;
import io.fusewire.ops.FusedConv;
import io.fusewire.ops.FusedDepthwise;
import io.fusewire.ops.FusedMeanPool;
import io.fusewire.ops.FusedPointwise;
import io.fusewire.ops.FusedResidual;
import io.fusewire.ops.FusedSqueezeExcite;
import io.fusewire.ops.Gate;
import io.fusewire.ops.NormGradient;
import io.fusewire.ops.Pool;
import io.fusewire.ops.PoolKind;

/** Cases of the training operations that normalise on load. */
final class FusedCases {
  private static final Activation SILU = Activation.SILU;
  private static final float EPSILON = 1e-3f;
  private static final float MOMENTUM = 0.1f;

  private FusedCases() {}

  static void add(OperationCases cases) {
    Dimensions d = cases.dimensions;
    pointwise(
        cases,
        new FusedPointwise(
            d.batch(),
            d.pixels(),
            d.inChannels(),
            d.outChannels(),
            cases.dtype,
            SILU,
            EPSILON,
            MOMENTUM));
    conv(cases, new FusedConv(d.dense(), cases.dtype, SILU, EPSILON, MOMENTUM));
    depthwise(cases, new FusedDepthwise(d.depthwise(), cases.dtype, SILU, SILU, EPSILON, MOMENTUM));
    squeezeExcite(
        cases,
        new FusedSqueezeExcite(
            d.batch(),
            d.pixels(),
            d.inChannels(),
            d.squeezed(),
            cases.dtype,
            SILU,
            SILU,
            Gate.SIGMOID));
    normed(cases);
  }

  private static void pointwise(OperationCases cases, FusedPointwise op) {
    cases.add(
        "FusedPointwise.forward",
        "src@NXC inNorm:4C gate:NC weights:KC gamma:K beta:K runningMean:K runningVar:K dst@NXK"
            + " outNorm:4K",
        op::workspaceBytes,
        (q, step, t, space) ->
            op.forward(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9], space));
    cases.add(
        "FusedPointwise.backwardData",
        "diffOut@NXK imageScale:N dst@NXK outNorm:4K outGradient:2K weights:KC addend@NXC"
            + " diffSrc@NXC",
        op::workspaceBytes,
        (q, step, t, space) ->
            op.backwardData(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], space));
    cases.add(
        "FusedPointwise.backwardWeights",
        "src@NXC inNorm:4C gate:NC diffOut@NXK imageScale:N dst@NXK outNorm:4K outGradient:2K"
            + " diffWeights:KC",
        op::workspaceBytes,
        (q, step, t, space) ->
            op.backwardWeights(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], space));
    cases.add(
        "FusedPointwise.backward",
        "src@NXC inNorm:4C gate:NC diffOut@NXK imageScale:N dst@NXK outNorm:4K outGradient:2K"
            + " weights:KC addend@NXC diffSrc@NXC diffWeights:KC",
        op::workspaceBytes,
        (q, step, t, space) ->
            op.backward(
                q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9], t[10], t[11],
                space));
  }

  private static void conv(OperationCases cases, FusedConv op) {
    cases.add(
        "FusedConv.forward",
        "src@NHWD inNorm:4D weights:KRRD gamma:K beta:K runningMean:K runningVar:K dst@NPQK"
            + " outNorm:4K",
        op::workspaceBytes,
        (q, step, t, space) ->
            op.forward(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], space));
    cases.add(
        "FusedConv.backwardData",
        "diffOut@NPQK imageScale:N dst@NPQK outNorm:4K outGradient:2K weights:KRRD addend@NHWD"
            + " diffSrc@NHWD",
        op::workspaceBytes,
        (q, step, t, space) ->
            op.backwardData(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], space));
    cases.add(
        "FusedConv.backwardWeights",
        "src@NHWD inNorm:4D diffOut@NPQK imageScale:N dst@NPQK outNorm:4K outGradient:2K"
            + " diffWeights:KRRD",
        op::workspaceBytes,
        (q, step, t, space) ->
            op.backwardWeights(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], space));
  }

  private static void depthwise(OperationCases cases, FusedDepthwise op) {
    cases.add(
        "FusedDepthwise.forward",
        "src@NHWC inNorm:4C weights:RRC gamma:C beta:C runningMean:C runningVar:C dst@NPQC"
            + " outNorm:4C",
        op::workspaceBytes,
        (q, step, t, space) ->
            op.forward(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], space));
    cases.add(
        "FusedDepthwise.backward",
        "src@NHWC inNorm:4C weights:RRC dst@NPQC outNorm:4C outGradient:2C diff@NPQC gate:NC"
            + " poolGradient:NC diffSrc@NHWC diffWeights:RRC diffGamma:C diffBeta:C inGradient:2C",
        op::workspaceBytes,
        (q, step, t, space) ->
            op.backward(
                q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9], t[10], t[11], t[12],
                t[13], space));
  }

  private static void squeezeExcite(OperationCases cases, FusedSqueezeExcite op) {
    cases.add(
        "FusedSqueezeExcite.forward",
        "src@NXC inNorm:4C reduceWeights:SC reduceBias:S expandWeights:CS expandBias:C pooled:NC"
            + " hidden:NS gate:NC",
        op::workspaceBytes,
        (q, step, t, space) ->
            op.forward(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], space));
    cases.add(
        "FusedSqueezeExcite.backward",
        "src@NXC inNorm:4C diff@NXC reduceWeights:SC expandWeights:CS pooled:NC hidden:NS gate:NC"
            + " poolGradient:NC diffReduceWeights:SC diffReduceBias:S diffExpandWeights:CS"
            + " diffExpandBias:C diffGamma:C diffBeta:C inGradient:2C",
        op::workspaceBytes,
        (q, step, t, space) ->
            op.backward(
                q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9], t[10], t[11], t[12],
                t[13], t[14], t[15], space));
  }

  private static void normed(OperationCases cases) {
    Dimensions d = cases.dimensions;
    NormGradient gradient =
        new NormGradient(d.batch(), d.pixels(), d.inChannels(), cases.dtype, SILU);
    cases.add(
        "NormGradient.run",
        "src@NXC norm:4C diff@NXC imageScale:N diffNorm@NXC diffGamma:C diffBeta:C gradient:2C",
        gradient::workspaceBytes,
        (q, step, t, space) ->
            gradient.run(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], space));
    FusedMeanPool pool =
        new FusedMeanPool(d.batch(), d.pixels(), d.inChannels(), cases.dtype, SILU);
    cases.add(
        "FusedMeanPool.forward",
        "src@NXC norm:4C pooled:NC",
        pool::workspaceBytes,
        (q, step, t, space) -> pool.forward(q, t[0], t[1], t[2], space));
    cases.add(
        "FusedMeanPool.backward",
        "src@NXC norm:4C diffPooled:NC diffSrc@NXC diffGamma:C diffBeta:C gradient:2C",
        pool::workspaceBytes,
        (q, step, t, space) -> pool.backward(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], space));
    FusedResidual residual =
        new FusedResidual(
            d.batch(),
            d.pixels(),
            d.inChannels(),
            cases.dtype,
            Activation.IDENTITY,
            Activation.RELU,
            Activation.RELU6,
            0.3f,
            3);
    cases.add(
        "FusedResidual.scales",
        "imageScale:N",
        OperationCases.NONE,
        (q, step, t, space) -> residual.scales(q, step, t[0]));
    cases.add(
        "FusedResidual.forward",
        "branch@NXC norm:4C imageScale:N skip@NXC skipNorm:4C dst@NXC",
        OperationCases.NONE,
        (q, step, t, space) -> residual.forward(q, t[0], t[1], t[2], t[3], t[4], t[5]));
    cases.add(
        "FusedResidual.backward",
        "dst@NXC diffDst@NXC diffSum@NXC",
        OperationCases.NONE,
        (q, step, t, space) -> residual.backward(q, t[0], t[1], t[2]));
    pool(cases, "max", PoolKind.MAX);
    pool(cases, "average", PoolKind.AVERAGE);
  }

  private static void pool(OperationCases cases, String which, PoolKind kind) {
    Pool op = new Pool(cases.dimensions.pool(), kind, cases.dtype, SILU);
    cases.add(
        "Pool.forward " + which,
        "src@NHWC inNorm:4C dst@NPQC",
        OperationCases.NONE,
        (q, step, t, space) -> op.forward(q, t[0], t[1], t[2]));
    cases.add(
        "Pool.backward " + which,
        "src@NHWC inNorm:4C diffDst@NPQC addend@NHWC diffSrc@NHWC",
        OperationCases.NONE,
        (q, step, t, space) -> op.backward(q, t[0], t[1], t[2], t[3], t[4]));
  }
}
