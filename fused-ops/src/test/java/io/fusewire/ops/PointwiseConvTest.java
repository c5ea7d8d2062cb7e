// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class PointwiseConvTest {
  private static final int[][] SIZES = {
    {1, 1, 1},
    {2, 3, 5},
    {49, 32, 16},
    {50, 16, 96},
    {64, 64, 64},
    {65, 65, 65},
    {7, 144, 24},
    {129, 40, 240},
    {200, 19, 33},
    {33, 1280, 10},
    {1, 200, 130},
    {300, 8, 1},
    {31, 1, 70},
  };

  static List<Arguments> cases() {
    List<Arguments> cases = new ArrayList<>();
    for (Device device : Device.all()) {
      for (DType dtype : Lab.floating()) {
        for (int[] size : SIZES) {
          cases.add(Arguments.of(device, dtype, size[0], size[1], size[2]));
        }
      }
    }
    return cases;
  }

  private static ConvReference reference(int rows, int in, int out) {
    return new ConvReference(ConvShape.same(rows, 1, 1, in, out, 1, 1), false);
  }

  @Tag("unit")
  @ParameterizedTest
  @MethodSource("cases")
  void integersAreExact(Device device, DType dtype, int rows, int in, int out) {
    exact(device, dtype, rows, in, out, new Random(1), 0, "");
  }

  @Tag("fuzz")
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void randomSizes(Device device, DType dtype) {
    Fuzz.run(
        getClass(),
        device,
        random -> {
          int rows = 1 + random.nextInt(200);
          int in = 1 + random.nextInt(150);
          int out = 1 + random.nextInt(150);
          String what = " of " + rows + "x" + in + "x" + out;
          exact(device, dtype, rows, in, out, random, random.nextInt(16), what);
        });
  }

  private void exact(
      Device device,
      DType dtype,
      int rows,
      int in,
      int out,
      Random random,
      int misalign,
      String what) {
    ConvReference reference = reference(rows, in, out);
    double[] src = Numbers.integers(random, (long) rows * in, 4);
    double[] weights = Numbers.integers(random, (long) out * in, 3);
    double[] bias = Numbers.integers(random, out, 9);
    double[] residual = Numbers.integers(random, (long) rows * out, 9);
    double[] diffDst = Numbers.integers(random, (long) rows * out, 4);
    double[] addend = Numbers.integers(random, (long) rows * in, 9);
    PointwiseConv conv = new PointwiseConv(rows, in, out, dtype, Activation.IDENTITY);
    try (Lab lab = new Lab(device)) {
      lab.misalign = misalign;
      Tensor workspace = lab.workspace(conv.workspaceBytes(lab.stream));
      Tensor srcTensor = lab.in(dtype, src, rows, in);
      Tensor weightsTensor = lab.in(DType.F32, weights, out, in);
      Tensor biasTensor = lab.in(DType.F32, bias, out);
      Tensor dst = lab.out(dtype, rows, out);
      conv.forward(lab.stream, srcTensor, weightsTensor, null, null, dst, null, workspace);
      double[] plain = reference.forward(src, weights, null);
      Numbers.assertExact("forward" + what, dtype, plain, lab.read(dst));

      // Bias, and a residual in place.
      dst.copyFrom(lab.stream, Numbers.floats(residual));
      conv.forward(lab.stream, srcTensor, weightsTensor, biasTensor, dst, dst, null, workspace);
      double[] expected = Numbers.sum(reference.forward(src, weights, bias), residual);
      double[] first = lab.read(dst);
      Numbers.assertExact("forward with bias and residual" + what, dtype, expected, first);

      Tensor packed = lab.workspace(conv.packedBytes(lab.stream));
      conv.pack(lab.stream, weightsTensor, packed);
      dst.copyFrom(lab.stream, Numbers.floats(residual));
      conv.forwardPacked(lab.stream, srcTensor, packed, biasTensor, dst, dst);
      assertArrayEquals(first, lab.read(dst), "packed weights give the same bits" + what);

      Tensor diffDstTensor = lab.in(dtype, diffDst, rows, out);
      Tensor diffSrc = lab.in(dtype, addend, rows, in);
      conv.backwardData(
          lab.stream, diffDstTensor, weightsTensor, null, diffSrc, diffSrc, workspace);
      Numbers.assertExact(
          "backwardData with addend" + what,
          dtype,
          Numbers.sum(reference.backwardData(diffDst, weights), addend),
          lab.read(diffSrc));
      Tensor diffWeights = lab.out(DType.F32, out, in);
      Tensor diffBias = lab.out(DType.F32, out);
      conv.backwardWeights(
          lab.stream, srcTensor, diffDstTensor, null, diffWeights, diffBias, workspace);
      Numbers.assertExact(
          "backwardWeights" + what,
          DType.F32,
          reference.backwardWeights(src, diffDst),
          lab.read(diffWeights));
      Numbers.assertExact(
          "diffBias" + what, DType.F32, reference.backwardBias(diffDst), lab.read(diffBias));
    }
  }

  @Tag("unit")
  @ParameterizedTest
  @MethodSource("cases")
  void realsAreClose(Device device, DType dtype, int rows, int in, int out) {
    for (Activation activation : Activation.values()) {
      Random random = new Random(2);
      ConvReference reference = reference(rows, in, out);
      double[] src = Numbers.reals(random, dtype, (long) rows * in);
      double[] weights =
          Numbers.scaled(Numbers.reals(random, dtype, (long) out * in), 1 / Math.sqrt(in), dtype);
      double[] bias = Numbers.reals(random, dtype, out);
      double[] diffDst = Numbers.reals(random, dtype, (long) rows * out);
      PointwiseConv conv = new PointwiseConv(rows, in, out, dtype, activation);
      try (Lab lab = new Lab(device)) {
        Tensor workspace = lab.workspace(conv.workspaceBytes(lab.stream));
        Tensor srcTensor = lab.in(dtype, src, rows, in);
        Tensor weightsTensor = lab.in(DType.F32, weights, out, in);
        Tensor biasTensor = lab.in(DType.F32, bias, out);
        Tensor dst = lab.out(dtype, rows, out);
        Tensor raw = lab.out(dtype, rows, out);
        conv.forward(lab.stream, srcTensor, weightsTensor, biasTensor, null, dst, raw, workspace);
        double[] expectedRaw = reference.forward(src, weights, bias);
        Numbers.assertForward("raw", dtype, expectedRaw, lab.read(raw));
        double[] expected = ActivationReference.apply(activation, expectedRaw);
        Numbers.assertForward(activation + " forward", dtype, expected, lab.read(dst));

        // Backward from the stored value, as the kernels see it.
        double[] storedRaw = lab.read(raw);
        double[] inner = ActivationReference.backward(activation, storedRaw, diffDst);
        Tensor diffDstTensor = lab.in(dtype, diffDst, rows, out);
        Tensor diffSrc = lab.out(dtype, rows, in);
        conv.backwardData(lab.stream, diffDstTensor, weightsTensor, raw, null, diffSrc, workspace);
        Tolerance.products(
            device,
            activation + " backwardData",
            dtype,
            dtype,
            reference.backwardData(inner, weights),
            lab.read(diffSrc));
        Tensor diffWeights = lab.out(DType.F32, out, in);
        Tensor diffBias = lab.out(DType.F32, out);
        conv.backwardWeights(
            lab.stream, srcTensor, diffDstTensor, raw, diffWeights, diffBias, workspace);
        Tolerance.products(
            device,
            activation + " backwardWeights",
            dtype,
            DType.F32,
            reference.backwardWeights(src, inner),
            lab.read(diffWeights));
        Tolerance.products(
            device,
            activation + " diffBias",
            dtype,
            DType.F32,
            reference.backwardBias(inner),
            lab.read(diffBias));
      }
    }
  }

  @Tag("unit")
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void bitsDoNotDependOnThreads(Device device, DType dtype) {
    int rows = 333;
    int in = 70;
    int out = 90;
    Random random = new Random(3);
    double[] src = Numbers.reals(random, dtype, (long) rows * in);
    double[] weights = Numbers.reals(random, DType.F32, (long) out * in);
    double[] diffDst = Numbers.reals(random, dtype, (long) rows * out);
    List<double[]> first = null;
    int[][] settings = {{1, 0}, {2, 1}, {5, 7}, {1, 0}};
    for (int[] setting : settings) {
      try (Lab lab = new Lab(device)) {
        lab.stream.threads(setting[0]).order(setting[1]);
        PointwiseConv conv = new PointwiseConv(rows, in, out, dtype, Activation.SILU);
        Tensor workspace = lab.workspace(conv.workspaceBytes(lab.stream));
        Tensor srcTensor = lab.in(dtype, src, rows, in);
        Tensor weightsTensor = lab.in(DType.F32, weights, out, in);
        Tensor diffDstTensor = lab.in(dtype, diffDst, rows, out);
        Tensor dst = lab.out(dtype, rows, out);
        Tensor raw = lab.out(dtype, rows, out);
        Tensor diffSrc = lab.out(dtype, rows, in);
        Tensor diffWeights = lab.out(DType.F32, out, in);
        Tensor diffBias = lab.out(DType.F32, out);
        conv.forward(lab.stream, srcTensor, weightsTensor, null, null, dst, raw, workspace);
        conv.backwardData(lab.stream, diffDstTensor, weightsTensor, raw, null, diffSrc, workspace);
        conv.backwardWeights(
            lab.stream, srcTensor, diffDstTensor, raw, diffWeights, diffBias, workspace);
        List<double[]> results =
            List.of(lab.read(dst), lab.read(diffSrc), lab.read(diffWeights), lab.read(diffBias));
        if (first == null) {
          first = results;
        }
        for (int i = 0; i < results.size(); i++) {
          assertArrayEquals(first.get(i), results.get(i), "result " + i);
        }
      }
    }
  }
}
