// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What depthwise and dense convolution have in common: their numbers, against {@link
 * ConvReference}.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class ConvContract {
  /** One convolution on one device, with its tensors. */
  interface Conv {
    void forward(Lab lab, Tensor src, Tensor weights, Tensor bias, Tensor dst);

    void backwardData(Lab lab, Tensor diffDst, Tensor weights, Tensor diffSrc);

    void backwardWeights(Lab lab, Tensor src, Tensor diffDst, Tensor diffWeights, Tensor diffBias);
  }

  abstract boolean depthwise();

  abstract List<ConvShape> shapes();

  abstract Conv conv(ConvShape shape, DType dtype, Activation activation);

  long[] weightsShape(ConvShape s) {
    return depthwise()
        ? new long[] {s.kernelHeight(), s.kernelWidth(), s.inChannels()}
        : new long[] {s.outChannels(), s.kernelHeight(), s.kernelWidth(), s.inChannels()};
  }

  static long[] srcShape(ConvShape s) {
    return new long[] {s.batch(), s.inHeight(), s.inWidth(), s.inChannels()};
  }

  static long[] dstShape(ConvShape s) {
    return new long[] {s.batch(), s.outHeight(), s.outWidth(), s.outChannels()};
  }

  List<Arguments> cases() {
    List<Arguments> cases = new ArrayList<>();
    for (Device device : Device.all()) {
      for (DType dtype : Lab.floating()) {
        for (ConvShape shape : shapes()) {
          cases.add(Arguments.of(device, dtype, shape));
        }
      }
    }
    return cases;
  }

  @Tag("unit")
  @ParameterizedTest
  @MethodSource("cases")
  void integersAreExact(Device device, DType dtype, ConvShape shape) {
    exact(device, dtype, shape, new Random(1), 0, shape.toString());
  }

  @Tag("unit")
  @ParameterizedTest
  @MethodSource("cases")
  void realsAreClose(Device device, DType dtype, ConvShape shape) {
    Activation activation = Fuzz.any(new Random(shape.inChannels()), Activation.values());
    close(device, dtype, shape, activation, new Random(2), shape.toString());
  }

  @Tag("fuzz")
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void randomShapes(Device device, DType dtype) {
    Fuzz.run(
        getClass(),
        device,
        random -> {
          ConvShape shape = ConvCases.random(random, depthwise());
          exact(device, dtype, shape, random, random.nextInt(16), shape.toString());
        });
  }

  private void exact(
      Device device, DType dtype, ConvShape shape, Random random, int misalign, String what) {
    ConvReference reference = new ConvReference(shape, depthwise());
    double[] src = Numbers.integers(random, reference.srcSize(), 4);
    double[] weights = Numbers.integers(random, reference.weightsSize(), 3);
    double[] bias = random.nextBoolean() ? Numbers.integers(random, shape.outChannels(), 9) : null;
    double[] diffDst = Numbers.integers(random, reference.dstSize(), 4);
    Conv conv = conv(shape, dtype, Activation.IDENTITY);
    try (Lab lab = new Lab(device)) {
      lab.misalign = misalign;
      Tensor srcTensor = lab.in(dtype, src, srcShape(shape));
      Tensor weightsTensor = lab.in(DType.F32, weights, weightsShape(shape));
      Tensor biasTensor = bias == null ? null : lab.in(DType.F32, bias, shape.outChannels());
      Tensor diffDstTensor = lab.in(dtype, diffDst, dstShape(shape));
      Tensor dst = lab.out(dtype, dstShape(shape));
      conv.forward(lab, srcTensor, weightsTensor, biasTensor, dst);
      exact("forward of " + what, dtype, reference.forward(src, weights, bias), lab.read(dst));
      Tensor diffSrc = lab.out(dtype, srcShape(shape));
      conv.backwardData(lab, diffDstTensor, weightsTensor, diffSrc);
      exact(
          "backwardData of " + what,
          dtype,
          reference.backwardData(diffDst, weights),
          lab.read(diffSrc));
      Tensor diffWeights = lab.out(DType.F32, weightsShape(shape));
      Tensor diffBias = bias == null ? null : lab.out(DType.F32, shape.outChannels());
      conv.backwardWeights(lab, srcTensor, diffDstTensor, diffWeights, diffBias);
      exact(
          "backwardWeights of " + what,
          DType.F32,
          reference.backwardWeights(src, diffDst),
          lab.read(diffWeights));
      if (bias != null) {
        exact(
            "diffBias of " + what, DType.F32, reference.backwardBias(diffDst), lab.read(diffBias));
      }
    }
  }

  /** Exactness without the mistrust of zeros, which random and padded sizes can have by right. */
  private static void exact(String what, DType dtype, double[] expected, double[] actual) {
    for (int i = 0; i < expected.length; i++) {
      if (Numbers.round(dtype, expected[i]) != actual[i]) {
        Numbers.assertExact(what, dtype, expected, actual);
      }
    }
  }

  private void close(
      Device device,
      DType dtype,
      ConvShape shape,
      Activation activation,
      Random random,
      String what) {
    ConvReference reference = new ConvReference(shape, depthwise());
    double[] src = Numbers.reals(random, dtype, reference.srcSize());
    double fan =
        shape.kernelHeight() * shape.kernelWidth() * (depthwise() ? 1 : shape.inChannels());
    double[] weights =
        Numbers.scaled(
            Numbers.reals(random, dtype, reference.weightsSize()), 1 / Math.sqrt(fan), dtype);
    double[] bias = Numbers.reals(random, dtype, shape.outChannels());
    for (int c = 0; c < bias.length; c++) {
      bias[c] = Math.abs(bias[c]); // or a single channel could be all zeros after ReLU
    }
    double[] diffDst = Numbers.reals(random, dtype, reference.dstSize());
    Conv conv = conv(shape, dtype, activation);
    try (Lab lab = new Lab(device)) {
      Tensor srcTensor = lab.in(dtype, src, srcShape(shape));
      Tensor weightsTensor = lab.in(DType.F32, weights, weightsShape(shape));
      Tensor biasTensor = lab.in(DType.F32, bias, shape.outChannels());
      Tensor diffDstTensor = lab.in(dtype, diffDst, dstShape(shape));
      Tensor dst = lab.out(dtype, dstShape(shape));
      conv.forward(lab, srcTensor, weightsTensor, biasTensor, dst);
      double[] raw = reference.forward(src, weights, bias);
      Numbers.assertForward(
          activation + " forward of " + what,
          dtype,
          ActivationReference.apply(activation, raw),
          lab.read(dst));
      Tensor diffSrc = lab.out(dtype, srcShape(shape));
      conv.backwardData(lab, diffDstTensor, weightsTensor, diffSrc);
      double[] expected = reference.backwardData(diffDst, weights);
      if (zeros(expected) * 2 < expected.length) { // wide strides leave pixels that nothing sees
        Numbers.assertBackward("backwardData of " + what, dtype, expected, lab.read(diffSrc));
      }
      Tensor diffWeights = lab.out(DType.F32, weightsShape(shape));
      Tensor diffBias = lab.out(DType.F32, shape.outChannels());
      conv.backwardWeights(lab, srcTensor, diffDstTensor, diffWeights, diffBias);
      double[] expectedWeights = reference.backwardWeights(src, diffDst);
      if (zeros(expectedWeights) * 2 < expectedWeights.length) { // taps that only see padding
        Numbers.assertBackward(
            "backwardWeights of " + what, DType.F32, expectedWeights, lab.read(diffWeights));
      }
      Numbers.assertBackward(
          "diffBias of " + what, DType.F32, reference.backwardBias(diffDst), lab.read(diffBias));
    }
  }

  private static int zeros(double[] values) {
    int zeros = 0;
    for (double value : values) {
      zeros += value == 0 ? 1 : 0;
    }
    return zeros;
  }

  @Tag("unit")
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void bitsDoNotDependOnThreads(Device device, DType dtype) {
    ConvShape shape = ConvShape.same(3, 19, 21, depthwise() ? 37 : 5, depthwise() ? 37 : 21, 3, 1);
    ConvReference reference = new ConvReference(shape, depthwise());
    Random random = new Random(3);
    double[] src = Numbers.reals(random, dtype, reference.srcSize());
    double[] weights = Numbers.reals(random, dtype, reference.weightsSize());
    double[] diffDst = Numbers.reals(random, dtype, reference.dstSize());
    List<double[]> first = null;
    int[][] settings = {{1, 0}, {2, 1}, {5, 7}, {1, 0}};
    for (int[] setting : settings) {
      try (Lab lab = new Lab(device)) {
        lab.stream.threads(setting[0]).order(setting[1]);
        Conv conv = conv(shape, dtype, Activation.SILU);
        Tensor srcTensor = lab.in(dtype, src, srcShape(shape));
        Tensor weightsTensor = lab.in(DType.F32, weights, weightsShape(shape));
        Tensor diffDstTensor = lab.in(dtype, diffDst, dstShape(shape));
        Tensor dst = lab.out(dtype, dstShape(shape));
        Tensor diffSrc = lab.out(dtype, srcShape(shape));
        Tensor diffWeights = lab.out(DType.F32, weightsShape(shape));
        Tensor diffBias = lab.out(DType.F32, shape.outChannels());
        conv.forward(lab, srcTensor, weightsTensor, null, dst);
        conv.backwardData(lab, diffDstTensor, weightsTensor, diffSrc);
        conv.backwardWeights(lab, srcTensor, diffDstTensor, diffWeights, diffBias);
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
