// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.DenseConv;
import io.fusewire.ops.DepthwiseConv;
import io.fusewire.ops.PointwiseConv;
import io.fusewire.ops.ResidualPlace;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;

/** Cases of the convolutions that stand alone. */
final class ConvolutionCases {
  private ConvolutionCases() {}

  static void add(OperationCases cases) {
    depthwise(cases, new DepthwiseConv(cases.dimensions.depthwise(), cases.dtype, Activation.SILU));
    dense(cases, new DenseConv(cases.dimensions.dense(), cases.dtype, Activation.SILU));
    Dimensions d = cases.dimensions;
    pointwise(
        cases,
        new PointwiseConv(
            d.batch() * d.pixels(), d.inChannels(), d.outChannels(), cases.dtype, Activation.SILU));
  }

  private static void depthwise(OperationCases cases, DepthwiseConv op) {
    cases.add(
        "DepthwiseConv.forward",
        "src@NHWC weights:RRC bias:C dst@NPQC",
        OperationCases.NONE,
        (q, step, t, space) -> op.forward(q, t[0], t[1], t[2], t[3]));
    cases.add(
        "DepthwiseConv.backwardData",
        "diffDst@NPQC weights:RRC diffSrc@NHWC",
        OperationCases.NONE,
        (q, step, t, space) -> op.backwardData(q, t[0], t[1], t[2]));
    cases.add(
        "DepthwiseConv.backwardWeights",
        "src@NHWC diffDst@NPQC diffWeights:RRC diffBias:C",
        op::workspaceBytes,
        (q, step, t, space) -> op.backwardWeights(q, t[0], t[1], t[2], t[3], space));
  }

  private static void dense(OperationCases cases, DenseConv op) {
    cases.add(
        "DenseConv.forward",
        "src@NHWD weights:KRRD bias:K dst@NPQK",
        op::workspaceBytes,
        (q, step, t, space) -> op.forward(q, t[0], t[1], t[2], t[3], space));
    cases.add(
        "DenseConv.backwardData",
        "diffDst@NPQK weights:KRRD diffSrc@NHWD",
        op::workspaceBytes,
        (q, step, t, space) -> op.backwardData(q, t[0], t[1], t[2], space));
    cases.add(
        "DenseConv.backwardWeights",
        "src@NHWD diffDst@NPQK diffWeights:KRRD diffBias:K",
        op::workspaceBytes,
        (q, step, t, space) -> op.backwardWeights(q, t[0], t[1], t[2], t[3], space));
    cases.add(
        "DenseConv.pack+forwardPacked",
        "src@NHWD weights:KRRD bias:K residual@NPQK dst@NPQK",
        OperationCases.NONE,
        (q, step, t, space) -> {
          try (Tensor packed = Tensor.allocate(q.device(), DType.U8, op.packedBytes(q))) {
            op.pack(q, t[1], packed);
            op.forwardPacked(q, t[0], packed, t[2], t[3], ResidualPlace.BEFORE_ACTIVATION, t[4]);
            q.synchronize();
          }
        });
  }

  private static void pointwise(OperationCases cases, PointwiseConv op) {
    cases.add(
        "PointwiseConv.forward",
        "src@ZC weights:KC bias:K residual@ZK dst@ZK raw@ZK",
        op::workspaceBytes,
        (q, step, t, space) -> op.forward(q, t[0], t[1], t[2], t[3], t[4], t[5], space));
    cases.add(
        "PointwiseConv.backwardData",
        "diffDst@ZK weights:KC raw@ZK addend@ZC diffSrc@ZC",
        op::workspaceBytes,
        (q, step, t, space) -> op.backwardData(q, t[0], t[1], t[2], t[3], t[4], space));
    cases.add(
        "PointwiseConv.backwardWeights",
        "src@ZC diffDst@ZK raw@ZK diffWeights:KC diffBias:K",
        op::workspaceBytes,
        (q, step, t, space) -> op.backwardWeights(q, t[0], t[1], t[2], t[3], t[4], space));
    cases.add(
        "PointwiseConv.pack+forwardPacked",
        "src@ZC weights:KC bias:K residual@ZK dst@ZK",
        OperationCases.NONE,
        (q, step, t, space) -> {
          try (Tensor packed = packed(q, op, t[1])) {
            op.forwardPacked(q, t[0], packed, t[2], t[3], t[4]);
            q.synchronize();
          }
        });
  }

  /** Weights as products read them, whose layout is the device's own. */
  static Tensor packed(Stream stream, PointwiseConv op, Tensor weights) {
    Tensor packed = Tensor.allocate(stream.device(), DType.U8, op.packedBytes(stream));
    op.pack(stream, weights, packed);
    return packed;
  }
}
