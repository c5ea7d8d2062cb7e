// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import java.util.List;

/** As {@link OperationCalls}, of the operations of an inverted residual block's inference. */
final class InferenceOperationCalls {
  private static final Activation SILU = Activation.SILU;

  private final Lab lab;

  private InferenceOperationCalls(Lab lab) {
    this.lab = lab;
  }

  static List<OperationCall> all(Lab lab) {
    InferenceOperationCalls calls = new InferenceOperationCalls(lab);
    return List.of(
        calls.depthwise(),
        calls.expanding(),
        calls.gate(),
        calls.projection(),
        calls.packing(),
        calls.dense());
  }

  private static OperationCall call(
      String method, String names, OperationCall.Run run, Tensor... tensors) {
    return new OperationCall(method, names.split(" ", -1), tensors, run);
  }

  private Tensor f32(long... shape) {
    return lab.out(DType.F32, shape).fill(lab.stream, 0);
  }

  private Tensor packed(long in, long out) {
    PointwiseConv conv = new PointwiseConv(1, in, out, DType.F32, SILU);
    Tensor packed = lab.workspace(conv.packedBytes(lab.stream));
    conv.pack(lab.stream, f32(out, in), packed);
    return packed;
  }

  private static DenseConv denseConv() {
    return new DenseConv(ConvShape.same(2, 5, 6, 4, 7, 3, 2), DType.F32, SILU);
  }

  private OperationCall packing() {
    DenseConv op = denseConv();
    return call(
        "DenseConv.pack",
        "weights packed",
        (q, t) -> op.pack(q, t[0], t[1]),
        f32(7, 3, 3, 4),
        lab.workspace(op.packedBytes(lab.stream)));
  }

  private OperationCall dense() {
    DenseConv op = denseConv();
    Tensor packed = lab.workspace(op.packedBytes(lab.stream));
    op.pack(lab.stream, f32(7, 3, 3, 4), packed);
    return call(
        "DenseConv.forwardPacked",
        "src packed bias? residual? dst",
        (q, t) ->
            op.forwardPacked(q, t[0], t[1], t[2], t[3], ResidualPlace.BEFORE_ACTIVATION, t[4]),
        f32(2, 5, 6, 4),
        packed,
        f32(7),
        f32(2, 3, 3, 7),
        f32(2, 3, 3, 7));
  }

  private OperationCall depthwise() {
    var op = new SqueezedDepthwise(ConvShape.same(2, 5, 6, 4, 4, 3, 2), DType.F32, SILU);
    return call(
        "SqueezedDepthwise.forward",
        "src weights bias dst sums",
        (q, t) -> op.forward(q, t[0], null, null, t[1], t[2], t[3], t[4]),
        f32(2, 5, 6, 4),
        f32(3, 3, 4),
        f32(4),
        f32(2, 3, 3, 4),
        f32(2, op.chunks(lab.stream), 4));
  }

  private OperationCall expanding() {
    var op =
        SqueezedDepthwise.expanding(ConvShape.same(2, 5, 6, 8, 8, 3, 2), DType.F32, SILU, 3, SILU);
    return call(
        "SqueezedDepthwise.forward",
        "src expandWeights expandBias weights bias dst sums",
        (q, t) -> op.forward(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6]),
        f32(2, 5, 6, 3),
        packed(3, 8),
        f32(8),
        f32(3, 3, 8),
        f32(8),
        f32(2, 3, 3, 8),
        f32(2, op.chunks(lab.stream), 8));
  }

  private OperationCall gate() {
    SqueezedGate op = new SqueezedGate(2, 9, 3, 6, 2, SILU, Gate.SIGMOID);
    return call(
        "SqueezedGate.forward",
        "sums reduceWeights reduceBias expandWeights expandBias pooled hidden gate",
        (q, t) -> op.forward(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]),
        f32(2, 3, 6),
        f32(2, 6),
        f32(2),
        f32(6, 2),
        f32(6),
        f32(2, 6),
        f32(2, 2),
        f32(2, 6));
  }

  private OperationCall projection() {
    GatedPointwise op = new GatedPointwise(2, 6, 5, 7, DType.F32, SILU);
    return call(
        "GatedPointwise.forward",
        "src gate? packed bias? residual? dst",
        (q, t) -> op.forward(q, t[0], t[1], t[2], t[3], t[4], t[5]),
        f32(2, 6, 5),
        f32(2, 5),
        packed(5, 7),
        f32(7),
        f32(2, 6, 7),
        f32(2, 6, 7));
  }
}
