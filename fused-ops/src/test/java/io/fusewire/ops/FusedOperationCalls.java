// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** As {@link OperationCalls}, of the operations that normalise on load. */
final class FusedOperationCalls {
  private static final Activation IDENTITY = Activation.IDENTITY;
  private static final Activation SILU = Activation.SILU;

  private final Lab lab;
  private final StepState step;
  private final List<OperationCall> calls = new ArrayList<>();

  private FusedOperationCalls(Lab lab, StepState step) {
    this.lab = lab;
    this.step = step;
  }

  static List<OperationCall> all(Lab lab, StepState step) {
    FusedOperationCalls calls = new FusedOperationCalls(lab, step);
    calls.pointwise();
    calls.conv();
    calls.depthwise();
    calls.squeezeExcite();
    calls.normed();
    calls.pools();
    return calls.calls;
  }

  /** Adds a call whose tensors are looked up by name. */
  private void add(
      String method, String names, Map<String, Tensor> tensors, OperationCall.Run run) {
    String[] split = names.split(" ", -1);
    Tensor[] given = new Tensor[split.length];
    for (int i = 0; i < split.length; i++) {
      String name = split[i].replace("?", "");
      if (!tensors.containsKey(name)) {
        throw new AssertionError(method + ": no " + name + " in " + tensors.keySet());
      }
      given[i] = tensors.get(name);
    }
    calls.add(new OperationCall(method, split, given, run));
  }

  /** Tensors of zeros by name, each written as "name 2x3". */
  private Map<String, Tensor> zeros(long workspaceBytes, String... tensors) {
    Map<String, Tensor> byName = new HashMap<>();
    for (String tensor : tensors) {
      String[] parts = tensor.split(" ", -1);
      long[] shape = Arrays.stream(parts[1].split("x", -1)).mapToLong(Long::parseLong).toArray();
      byName.put(parts[0], lab.out(DType.F32, shape).fill(lab.stream, 0));
    }
    byName.put("workspace", lab.workspace(workspaceBytes));
    return byName;
  }

  private void pointwise() {
    FusedPointwise op = new FusedPointwise(2, 6, 5, 7, DType.F32, SILU, 1e-3f, 0.1f);
    Map<String, Tensor> t =
        zeros(
            op.workspaceBytes(lab.stream),
            "src 2x6x5",
            "inNorm 4x5",
            "gate 2x5",
            "weights 7x5",
            "gamma 7",
            "beta 7",
            "runningMean 7",
            "runningVar 7",
            "dst 2x6x7",
            "outNorm 4x7",
            "diffOut 2x6x7",
            "imageScale 2",
            "outGradient 2x7",
            "addend 2x6x5",
            "diffSrc 2x6x5",
            "diffWeights 7x5");
    add(
        "FusedPointwise.forward",
        "src inNorm? gate? weights gamma beta runningMean runningVar dst outNorm workspace",
        t,
        (q, x) -> op.forward(q, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9], x[10]));
    add(
        "FusedPointwise.backwardData",
        "diffOut imageScale? dst outNorm outGradient weights addend? diffSrc workspace",
        t,
        (q, x) -> op.backwardData(q, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8]));
    add(
        "FusedPointwise.backwardWeights",
        "src inNorm? gate? diffOut imageScale? dst outNorm outGradient diffWeights workspace",
        t,
        (q, x) ->
            op.backwardWeights(q, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9]));
    add(
        "FusedPointwise.backward",
        "src inNorm? gate? diffOut imageScale? dst outNorm outGradient weights addend? diffSrc"
            + " diffWeights workspace",
        t,
        (q, x) ->
            op.backward(
                q, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9], x[10], x[11],
                x[12]));
  }

  private void conv() {
    FusedConv op = new FusedConv(ConvShape.same(2, 5, 6, 4, 7, 3, 2), DType.F32, SILU, 1e-3f, 0.1f);
    Map<String, Tensor> t =
        zeros(
            op.workspaceBytes(lab.stream),
            "src 2x5x6x4",
            "inNorm 4x4",
            "weights 7x3x3x4",
            "gamma 7",
            "beta 7",
            "runningMean 7",
            "runningVar 7",
            "dst 2x3x3x7",
            "outNorm 4x7",
            "diffOut 2x3x3x7",
            "imageScale 2",
            "outGradient 2x7",
            "addend 2x5x6x4",
            "diffSrc 2x5x6x4",
            "diffWeights 7x3x3x4");
    add(
        "FusedConv.forward",
        "src inNorm? weights gamma beta runningMean runningVar dst outNorm workspace",
        t,
        (q, x) -> op.forward(q, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9]));
    add(
        "FusedConv.backwardData",
        "diffOut imageScale? dst outNorm outGradient weights addend? diffSrc workspace",
        t,
        (q, x) -> op.backwardData(q, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8]));
    add(
        "FusedConv.backwardWeights",
        "src inNorm? diffOut imageScale? dst outNorm outGradient diffWeights workspace",
        t,
        (q, x) -> op.backwardWeights(q, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8]));
  }

  private void depthwise() {
    ConvShape shape = ConvShape.same(2, 5, 6, 4, 4, 3, 2);
    FusedDepthwise op = new FusedDepthwise(shape, DType.F32, SILU, SILU, 1e-3f, 0.1f);
    Map<String, Tensor> t =
        zeros(
            op.workspaceBytes(lab.stream),
            "src 2x5x6x4",
            "inNorm 4x4",
            "weights 3x3x4",
            "gamma 4",
            "beta 4",
            "runningMean 4",
            "runningVar 4",
            "dst 2x3x3x4",
            "outNorm 4x4",
            "outGradient 2x4",
            "diff 2x3x3x4",
            "gate 2x4",
            "poolGradient 2x4",
            "diffSrc 2x5x6x4",
            "diffWeights 3x3x4",
            "diffGamma 4",
            "diffBeta 4",
            "inGradient 2x4");
    add(
        "FusedDepthwise.forward",
        "src inNorm? weights gamma beta runningMean runningVar dst outNorm workspace",
        t,
        (q, x) -> op.forward(q, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9]));
    add(
        "FusedDepthwise.backward",
        "src inNorm weights dst outNorm outGradient diff gate poolGradient diffSrc diffWeights"
            + " diffGamma diffBeta inGradient workspace",
        t,
        (q, x) ->
            op.backward(
                q, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9], x[10], x[11], x[12],
                x[13], x[14]));
  }

  private void squeezeExcite() {
    FusedSqueezeExcite op = new FusedSqueezeExcite(2, 9, 6, 3, DType.F32, SILU, SILU, Gate.SIGMOID);
    Map<String, Tensor> t =
        zeros(
            op.workspaceBytes(lab.stream),
            "src 2x9x6",
            "inNorm 4x6",
            "diff 2x9x6",
            "reduceWeights 3x6",
            "reduceBias 3",
            "expandWeights 6x3",
            "expandBias 6",
            "pooled 2x6",
            "hidden 2x3",
            "gate 2x6",
            "poolGradient 2x6",
            "diffReduceWeights 3x6",
            "diffReduceBias 3",
            "diffExpandWeights 6x3",
            "diffExpandBias 6",
            "diffGamma 6",
            "diffBeta 6",
            "inGradient 2x6");
    add(
        "FusedSqueezeExcite.forward",
        "src inNorm? reduceWeights reduceBias expandWeights expandBias pooled hidden gate"
            + " workspace",
        t,
        (q, x) -> op.forward(q, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9]));
    add(
        "FusedSqueezeExcite.backward",
        "src inNorm diff reduceWeights expandWeights pooled hidden gate poolGradient"
            + " diffReduceWeights diffReduceBias diffExpandWeights diffExpandBias diffGamma"
            + " diffBeta inGradient workspace",
        t,
        (q, x) ->
            op.backward(
                q, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9], x[10], x[11], x[12],
                x[13], x[14], x[15], x[16]));
  }

  private void normed() {
    NormGradient gradient = new NormGradient(2, 8, 5, DType.F32, SILU);
    FusedMeanPool pool = new FusedMeanPool(2, 8, 5, DType.F32, SILU);
    FusedResidual residual =
        new FusedResidual(2, 8, 5, DType.F32, IDENTITY, IDENTITY, Activation.RELU, 0.2f, 1);
    Map<String, Tensor> t =
        zeros(
            gradient.workspaceBytes(lab.stream),
            "src 2x8x5",
            "norm 4x5",
            "diff 2x8x5",
            "imageScale 2",
            "diffNorm 2x8x5",
            "diffGamma 5",
            "diffBeta 5",
            "gradient 2x5",
            "pooled 2x5",
            "diffPooled 2x5",
            "diffSrc 2x8x5",
            "branch 2x8x5",
            "skip 2x8x5",
            "skipNorm 4x5",
            "dst 2x8x5",
            "diffDst 2x8x5",
            "diffSum 2x8x5");
    add(
        "NormGradient.run",
        "src norm diff imageScale? diffNorm? diffGamma diffBeta gradient workspace",
        t,
        (q, x) -> gradient.run(q, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8]));
    add(
        "FusedMeanPool.forward",
        "src norm? pooled workspace",
        t,
        (q, x) -> pool.forward(q, x[0], x[1], x[2], x[3]));
    add(
        "FusedMeanPool.backward",
        "src norm diffPooled diffSrc diffGamma diffBeta gradient workspace",
        t,
        (q, x) -> pool.backward(q, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]));
    add("FusedResidual.scales", "imageScale", t, (q, x) -> residual.scales(q, step, x[0]));
    add(
        "FusedResidual.forward",
        "branch norm? imageScale? skip skipNorm? dst",
        t,
        (q, x) -> residual.forward(q, x[0], x[1], x[2], x[3], x[4], x[5]));
    add(
        "FusedResidual.backward",
        "dst diffDst diffSum",
        t,
        (q, x) -> residual.backward(q, x[0], x[1], x[2]));
  }

  private void pools() {
    PoolShape shape = PoolShape.symmetric(2, 5, 6, 4, 3, 2, 1);
    Pool max = new Pool(shape, PoolKind.MAX, DType.F32, SILU);
    Pool average = new Pool(shape, PoolKind.AVERAGE, DType.F32, SILU);
    Map<String, Tensor> t =
        zeros(
            0,
            "src 2x5x6x4",
            "inNorm 4x4",
            "dst 2x3x3x4",
            "diffDst 2x3x3x4",
            "addend 2x5x6x4",
            "diffSrc 2x5x6x4");
    add("Pool.forward", "src inNorm? dst", t, (q, x) -> max.forward(q, x[0], x[1], x[2]));
    add(
        "Pool.backward",
        "src inNorm? diffDst addend? diffSrc",
        t,
        (q, x) -> max.backward(q, x[0], x[1], x[2], x[3], x[4]));
    add(
        "Pool.backward",
        "src? inNorm? diffDst addend? diffSrc",
        t,
        (q, x) -> average.backward(q, x[0], x[1], x[2], x[3], x[4]));
  }
}
