// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A valid call of every method of every operation, with its tensors by name, for tests that spoil
 * one of them.
 */
final class OperationCalls {
  private final Lab lab;
  private final StepState step;
  private final List<OperationCall> calls = new ArrayList<>();

  private OperationCalls(Lab lab, StepState step) {
    this.lab = lab;
    this.step = step;
  }

  static List<OperationCall> all(Lab lab, StepState step) {
    OperationCalls calls = new OperationCalls(lab, step);
    calls.convolutions();
    calls.pointwise();
    calls.normalisations();
    calls.squeezeExcite();
    calls.heads();
    calls.others();
    calls.calls.addAll(FusedOperationCalls.all(lab, step));
    calls.calls.addAll(InferenceOperationCalls.all(lab));
    return calls.calls;
  }

  private Tensor f32(long... shape) {
    return zeros(DType.F32, shape);
  }

  private Tensor zeros(DType dtype, long... shape) {
    return lab.out(dtype, shape).fill(lab.stream, 0);
  }

  private void add(String method, String names, OperationCall.Run run, Tensor... tensors) {
    String[] split = names.split(" ");
    if (split.length != tensors.length) {
      throw new AssertionError(method + ": " + Arrays.toString(split));
    }
    calls.add(new OperationCall(method, split, tensors, run));
  }

  private void convolutions() {
    ConvShape s = ConvShape.same(2, 5, 6, 4, 4, 3, 2);
    DepthwiseConv depthwise = new DepthwiseConv(s, DType.F32, Activation.SILU);
    Tensor src = f32(2, 5, 6, 4);
    Tensor dst = f32(2, 3, 3, 4);
    Tensor filter = f32(3, 3, 4);
    Tensor bias = f32(4);
    Tensor space = lab.workspace(depthwise.workspaceBytes(lab.stream));
    add(
        "DepthwiseConv.forward",
        "src weights bias? dst",
        (q, t) -> depthwise.forward(q, t[0], t[1], t[2], t[3]),
        src,
        filter,
        bias,
        dst);
    add(
        "DepthwiseConv.backwardData",
        "diffDst weights diffSrc",
        (q, t) -> depthwise.backwardData(q, t[0], t[1], t[2]),
        dst,
        filter,
        src);
    add(
        "DepthwiseConv.backwardWeights",
        "src diffDst diffWeights diffBias? workspace",
        (q, t) -> depthwise.backwardWeights(q, t[0], t[1], t[2], t[3], t[4]),
        src,
        dst,
        filter,
        bias,
        space);
    DenseConv dense =
        new DenseConv(ConvShape.same(2, 5, 6, 4, 7, 3, 2), DType.F32, Activation.SILU);
    Tensor denseDst = f32(2, 3, 3, 7);
    Tensor denseWeights = f32(7, 3, 3, 4);
    Tensor denseBias = f32(7);
    Tensor denseSpace = lab.workspace(dense.workspaceBytes(lab.stream));
    add(
        "DenseConv.forward",
        "src weights bias? dst workspace",
        (q, t) -> dense.forward(q, t[0], t[1], t[2], t[3], t[4]),
        src,
        denseWeights,
        denseBias,
        denseDst,
        denseSpace);
    add(
        "DenseConv.backwardData",
        "diffDst weights diffSrc workspace",
        (q, t) -> dense.backwardData(q, t[0], t[1], t[2], t[3]),
        denseDst,
        denseWeights,
        src,
        denseSpace);
    add(
        "DenseConv.backwardWeights",
        "src diffDst diffWeights diffBias? workspace",
        (q, t) -> dense.backwardWeights(q, t[0], t[1], t[2], t[3], t[4]),
        src,
        denseDst,
        denseWeights,
        denseBias,
        denseSpace);
  }

  private void pointwise() {
    PointwiseConv op = new PointwiseConv(12, 5, 7, DType.F32, Activation.SILU);
    Tensor src = f32(12, 5);
    Tensor weights = f32(7, 5);
    Tensor bias = f32(7);
    Tensor residual = f32(12, 7);
    Tensor dst = f32(12, 7);
    Tensor raw = f32(12, 7);
    Tensor addend = f32(12, 5);
    Tensor space = lab.workspace(op.workspaceBytes(lab.stream));
    add(
        "PointwiseConv.forward",
        "src weights bias? residual? dst raw? workspace",
        (q, t) -> op.forward(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6]),
        src,
        weights,
        bias,
        residual,
        dst,
        raw,
        space);
    add(
        "PointwiseConv.backwardData",
        "diffDst weights raw? addend? diffSrc workspace",
        (q, t) -> op.backwardData(q, t[0], t[1], t[2], t[3], t[4], t[5]),
        dst,
        weights,
        raw,
        addend,
        src,
        space);
    add(
        "PointwiseConv.backwardWeights",
        "src diffDst raw? diffWeights diffBias? workspace",
        (q, t) -> op.backwardWeights(q, t[0], t[1], t[2], t[3], t[4], t[5]),
        src,
        dst,
        raw,
        weights,
        bias,
        space);
    Tensor packed = lab.workspace(op.packedBytes(lab.stream));
    add("PointwiseConv.pack", "weights packed", (q, t) -> op.pack(q, t[0], t[1]), weights, packed);
    add(
        "PointwiseConv.forwardPacked",
        "src packed bias? residual? dst",
        (q, t) -> op.forwardPacked(q, t[0], t[1], t[2], t[3], t[4]),
        src,
        packed,
        bias,
        residual,
        dst);
  }

  private void normalisations() {
    BatchNorm op = new BatchNorm(20, 6, DType.F32, Activation.RELU, 1e-3f, 0.1f);
    Tensor src = f32(20, 6);
    Tensor dst = f32(20, 6);
    Tensor diff = f32(20, 6);
    Tensor[] v = new Tensor[8];
    for (int i = 0; i < v.length; i++) {
      v[i] = f32(6);
    }
    Tensor space = lab.workspace(op.workspaceBytes(lab.stream));
    add(
        "BatchNorm.forwardTraining",
        "src gamma beta runningMean runningVar savedMean savedInvStd dst workspace",
        (q, t) -> op.forwardTraining(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8]),
        src,
        v[0],
        v[1],
        v[2],
        v[3],
        v[4],
        v[5],
        dst,
        space);
    add(
        "BatchNorm.forwardInference",
        "src gamma beta runningMean runningVar dst",
        (q, t) -> op.forwardInference(q, t[0], t[1], t[2], t[3], t[4], t[5]),
        src,
        v[0],
        v[1],
        v[2],
        v[3],
        dst);
    add(
        "BatchNorm.backward",
        "src diffDst gamma beta savedMean savedInvStd diffSrc diffGamma diffBeta workspace",
        (q, t) -> op.backward(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9]),
        src,
        dst,
        v[0],
        v[1],
        v[4],
        v[5],
        diff,
        v[6],
        v[7],
        space);
  }

  private void squeezeExcite() {
    SqueezeExcite op = new SqueezeExcite(2, 9, 6, 3, DType.F32, Activation.SILU, Gate.SIGMOID);
    Tensor src = f32(2, 9, 6);
    Tensor dst = f32(2, 9, 6);
    Tensor diff = f32(2, 9, 6);
    Tensor reduce = f32(3, 6);
    Tensor reduceBias = f32(3);
    Tensor expand = f32(6, 3);
    Tensor expandBias = f32(6);
    Tensor pooled = f32(2, 6);
    Tensor hidden = f32(2, 3);
    Tensor gate = f32(2, 6);
    Tensor space = lab.workspace(op.workspaceBytes(lab.stream));
    add(
        "SqueezeExcite.forward",
        "src reduceWeights reduceBias expandWeights expandBias pooled hidden gate dst workspace",
        (q, t) -> op.forward(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9]),
        src,
        reduce,
        reduceBias,
        expand,
        expandBias,
        pooled,
        hidden,
        gate,
        dst,
        space);
    add(
        "SqueezeExcite.backward",
        "src diffDst reduceWeights expandWeights pooled hidden gate diffSrc diffReduceWeights"
            + " diffReduceBias diffExpandWeights diffExpandBias workspace",
        (q, t) ->
            op.backward(
                q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9], t[10], t[11], t[12]),
        src,
        dst,
        reduce,
        expand,
        pooled,
        hidden,
        gate,
        diff,
        f32(3, 6),
        f32(3),
        f32(6, 3),
        f32(6),
        space);
  }

  private void heads() {
    MeanPool pool = new MeanPool(3, 8, 5, DType.F32);
    Tensor features = f32(3, 8, 5);
    Tensor pooled = f32(3, 5);
    add(
        "MeanPool.forward",
        "src dst workspace",
        (q, t) -> pool.forward(q, t[0], t[1], t[2]),
        features,
        pooled,
        lab.workspace(pool.workspaceBytes(lab.stream)));
    add(
        "MeanPool.backward",
        "diffDst diffSrc",
        (q, t) -> pool.backward(q, t[0], t[1]),
        pooled,
        features);
    DropoutHead head = new DropoutHead(3, 5, 4, 2, 0.5f, 0.1f, SampleMode.AVERAGE_LOSSES, 1);
    Tensor weights = f32(4, 5);
    Tensor bias = f32(4);
    Tensor labels = zeros(DType.I32, 3);
    Tensor correct = zeros(DType.I32, 3);
    Tensor losses = f32(3);
    Tensor diffLogits = f32(2, 3, 4);
    Tensor space = lab.workspace(head.workspaceBytes(lab.stream));
    add(
        "DropoutHead.forward",
        "pooled weights bias labels losses correct diffLogits workspace",
        (q, t) -> head.forward(q, step, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]),
        pooled,
        weights,
        bias,
        labels,
        losses,
        correct,
        diffLogits,
        space);
    add(
        "DropoutHead.backward",
        "pooled weights diffLogits diffPooled diffWeights diffBias workspace",
        (q, t) -> head.backward(q, step, null, t[0], t[1], t[2], t[3], t[4], t[5], t[6]),
        pooled,
        weights,
        diffLogits,
        f32(3, 5),
        f32(4, 5),
        f32(4),
        space);
    Tensor logits = f32(3, 4);
    add(
        "DropoutHead.inference",
        "pooled weights bias logits probabilities? workspace",
        (q, t) -> head.inference(q, t[0], t[1], t[2], t[3], t[4], t[5]),
        pooled,
        weights,
        bias,
        logits,
        f32(3, 4),
        space);
    add(
        "DropoutHead.crossEntropy",
        "logits labels losses correct",
        (q, t) -> head.crossEntropy(q, t[0], t[1], t[2], t[3]),
        logits,
        labels,
        losses,
        correct);
  }

  private void others() {
    Residual residual = new Residual(3, 10, DType.F32, 0.2f, 1);
    Tensor dst = f32(3, 10);
    Tensor branch = f32(3, 10);
    add(
        "Residual.forward",
        "branch skip dst",
        (q, t) -> residual.forward(q, step, t[0], t[1], t[2]),
        branch,
        f32(3, 10),
        dst);
    add(
        "Residual.backward",
        "diffDst diffBranch",
        (q, t) -> residual.backward(q, step, t[0], t[1]),
        dst,
        branch);
    ImageBatch images = ImageBatch.builder(2, 4, 5, 3).randomFlip().build();
    add(
        "ImageBatch.forward",
        "src dst",
        (q, t) -> images.forward(q, step, t[0], t[1]),
        zeros(DType.U8, 2, 4, 5, 3),
        f32(2, 4, 5, 3));
  }
}
