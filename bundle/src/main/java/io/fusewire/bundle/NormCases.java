// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.ops.Activation;
import io.fusewire.ops.BatchNorm;
import io.fusewire.ops.Convert;
import io.fusewire.ops.Gate;
import io.fusewire.ops.ImageBatch;
import io.fusewire.ops.MeanPool;
import io.fusewire.ops.Residual;
import io.fusewire.ops.SqueezeExcite;

/** Cases of the other operations that stand alone. */
final class NormCases {
  private static final int LAYER = 3;

  private NormCases() {}

  static void add(OperationCases cases) {
    Dimensions d = cases.dimensions;
    batchNorm(
        cases,
        new BatchNorm(
            d.batch() * d.pixels(), d.inChannels(), cases.dtype, Activation.SILU, 1e-3f, 0.1f));
    squeezeExcite(
        cases,
        new SqueezeExcite(
            d.batch(),
            d.pixels(),
            d.inChannels(),
            d.squeezed(),
            cases.dtype,
            Activation.SILU,
            Gate.SIGMOID));
    MeanPool pool = new MeanPool(d.batch(), d.pixels(), d.inChannels(), cases.dtype);
    cases.add(
        "MeanPool.forward",
        "src@NXC dst:NC",
        pool::workspaceBytes,
        (q, step, t, space) -> pool.forward(q, t[0], t[1], space));
    cases.add(
        "MeanPool.backward",
        "diffDst:NC diffSrc@NXC",
        OperationCases.NONE,
        (q, step, t, space) -> pool.backward(q, t[0], t[1]));
    Residual residual =
        new Residual(d.batch(), d.pixels() * d.inChannels(), cases.dtype, 0.3f, LAYER);
    cases.add(
        "Residual.forward",
        "branch@NXC skip@NXC dst@NXC",
        OperationCases.NONE,
        (q, step, t, space) -> residual.forward(q, step, t[0], t[1], t[2]));
    cases.add(
        "Residual.backward",
        "diffDst@NXC diffBranch@NXC",
        OperationCases.NONE,
        (q, step, t, space) -> residual.backward(q, step, t[0], t[1]));
    ImageBatch images =
        ImageBatch.builder(d.batch(), d.height(), d.width(), 3)
            .dtype(cases.dtype)
            .randomFlip()
            .randomCrop(1)
            .layer(LAYER)
            .normalise(new float[] {0.4f, 0.5f, 0.6f}, new float[] {0.2f, 0.3f, 0.25f})
            .build();
    cases.add(
        "ImageBatch.forward",
        "src%NHW3 dst@NHW3",
        OperationCases.NONE,
        (q, step, t, space) -> images.forward(q, step, t[0], t[1]));
    cases.add(
        "Convert.run",
        "src:ZC dst@ZC",
        OperationCases.NONE,
        (q, step, t, space) -> Convert.run(q, t[0], t[1]));
  }

  private static void batchNorm(OperationCases cases, BatchNorm op) {
    cases.add(
        "BatchNorm.forwardTraining",
        "src@ZC gamma:C beta:C runningMean:C runningVar:C savedMean:C savedInvStd:C dst@ZC",
        op::workspaceBytes,
        (q, step, t, space) ->
            op.forwardTraining(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], space));
    cases.add(
        "BatchNorm.forwardInference",
        "src@ZC gamma:C beta:C runningMean:C runningVar:C dst@ZC",
        OperationCases.NONE,
        (q, step, t, space) -> op.forwardInference(q, t[0], t[1], t[2], t[3], t[4], t[5]));
    cases.add(
        "BatchNorm.backward",
        "src@ZC diffDst@ZC gamma:C beta:C savedMean:C savedInvStd:C diffSrc@ZC diffGamma:C"
            + " diffBeta:C",
        op::workspaceBytes,
        (q, step, t, space) ->
            op.backward(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], space));
  }

  private static void squeezeExcite(OperationCases cases, SqueezeExcite op) {
    cases.add(
        "SqueezeExcite.forward",
        "src@NXC reduceWeights:SC reduceBias:S expandWeights:CS expandBias:C pooled:NC hidden:NS"
            + " gate:NC dst@NXC",
        op::workspaceBytes,
        (q, step, t, space) ->
            op.forward(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], space));
    cases.add(
        "SqueezeExcite.backward",
        "src@NXC diffDst@NXC reduceWeights:SC expandWeights:CS pooled:NC hidden:NS gate:NC"
            + " diffSrc@NXC diffReduceWeights:SC diffReduceBias:S diffExpandWeights:CS"
            + " diffExpandBias:C",
        op::workspaceBytes,
        (q, step, t, space) ->
            op.backward(
                q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9], t[10], t[11],
                space));
  }
}
