// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("unit")
class BatchNormTest {
  private static final int[][] SIZES = {
    {2, 1}, {3, 5}, {98, 16}, {100, 17}, {513, 40}, {7, 144}, {64, 64}, {2048, 3}, {1, 8},
  };

  static List<Arguments> cases() {
    List<Arguments> cases = new ArrayList<>();
    for (Device device : Device.all()) {
      for (DType dtype : Lab.floating()) {
        for (int[] size : SIZES) {
          for (Activation activation : Activation.values()) {
            if (size[0] > 1) {
              cases.add(Arguments.of(device, dtype, activation, size[0], size[1]));
            }
          }
        }
      }
    }
    return cases;
  }

  /** One problem with its tensors. */
  private static final class Problem {
    static final float EPSILON = 1e-3f;
    static final float MOMENTUM = 0.1f;
    final double[] src;
    final double[] gamma;
    final double[] beta;
    final double[] diffDst;
    final BatchNormReference reference;
    final BatchNorm op;
    final Lab lab;
    final Tensor srcTensor;
    final Tensor gammaTensor;
    final Tensor betaTensor;
    final Tensor mean;
    final Tensor invStd;
    final Tensor dst;
    final Tensor workspace;

    Problem(
        Lab lab,
        DType dtype,
        Activation activation,
        int rows,
        int channels,
        Random random,
        double offset) {
      this.lab = lab;
      double[] normal = Numbers.reals(random, dtype, (long) rows * channels);
      src = new double[normal.length];
      for (int i = 0; i < src.length; i++) {
        src[i] = Numbers.round(dtype, normal[i] * (1 + i % channels % 3) + offset);
      }
      gamma = Numbers.reals(random, DType.F32, channels);
      beta = Numbers.reals(random, DType.F32, channels);
      for (int c = 0; c < channels; c++) {
        beta[c] = Math.abs(beta[c]); // or a single channel could be all zeros after ReLU
      }
      diffDst = Numbers.reals(random, dtype, (long) rows * channels);
      reference = new BatchNormReference(src, channels, EPSILON, activation);
      double[] raw = reference.raw(gamma, beta);
      for (int i = 0; i < raw.length; i++) {
        if (Math.min(Math.abs(raw[i]), Math.abs(raw[i] - 6)) < 1e-4) {
          diffDst[i] = 0; // at a kink rounding decides which slope is right
        }
      }
      op = new BatchNorm(rows, channels, dtype, activation, EPSILON, MOMENTUM);
      srcTensor = lab.in(dtype, src, rows, channels);
      gammaTensor = lab.in(DType.F32, gamma, channels);
      betaTensor = lab.in(DType.F32, beta, channels);
      mean = lab.out(DType.F32, channels);
      invStd = lab.out(DType.F32, channels);
      dst = lab.out(dtype, rows, channels);
      workspace = lab.workspace(op.workspaceBytes(lab.stream));
    }

    void forward(Tensor runningMean, Tensor runningVar) {
      op.forwardTraining(
          lab.stream,
          srcTensor,
          gammaTensor,
          betaTensor,
          runningMean,
          runningVar,
          mean,
          invStd,
          dst,
          workspace);
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void trainingForwardAndBackward(
      Device device, DType dtype, Activation activation, int rows, int channels) {
    Random random = new Random(rows);
    try (Lab lab = new Lab(device)) {
      Problem p = new Problem(lab, dtype, activation, rows, channels, random, 0.5);
      double[] oldMean = Numbers.reals(random, DType.F32, channels);
      double[] oldVar = Numbers.reals(random, DType.F32, channels);
      for (int c = 0; c < channels; c++) {
        oldVar[c] = Math.abs(oldVar[c]);
      }
      Tensor runningMean = lab.in(DType.F32, oldMean, channels);
      Tensor runningVar = lab.in(DType.F32, oldVar, channels);
      p.forward(runningMean, runningVar);
      // Sums are shifted by a row that may be the farthest from the mean: that distance, and its
      // square
      // for the variance, is what rounding errors are relative to.
      assertMean(p, lab.read(p.mean));
      Numbers.assertGradient("1/std", DType.F32, p.reference.invStd, lab.read(p.invStd));
      double[] expectedMean = new double[channels];
      double[] expectedVar = new double[channels];
      for (int c = 0; c < channels; c++) {
        double unbiased = p.reference.variance[c] * rows / (rows - 1);
        expectedMean[c] =
            (1 - (double) Problem.MOMENTUM) * oldMean[c] + Problem.MOMENTUM * p.reference.mean[c];
        expectedVar[c] = (1 - (double) Problem.MOMENTUM) * oldVar[c] + Problem.MOMENTUM * unbiased;
      }
      Numbers.assertGradient("running mean", DType.F32, expectedMean, lab.read(runningMean));
      Numbers.assertGradient("running variance", DType.F32, expectedVar, lab.read(runningVar));
      // Sums of hundreds of terms: the error of F32 statistics multiplies into every element.
      Numbers.assertBackward("dst", dtype, p.reference.forward(p.gamma, p.beta), lab.read(p.dst));

      double[][] expected = p.reference.backward(p.gamma, p.beta, p.diffDst);
      Tensor diff = lab.in(dtype, p.diffDst, rows, channels);
      Tensor diffGamma = lab.out(DType.F32, channels);
      Tensor diffBeta = lab.out(DType.F32, channels);
      p.op.backward(
          lab.stream,
          p.srcTensor,
          diff,
          p.gammaTensor,
          p.betaTensor,
          p.mean,
          p.invStd,
          diff, // in place
          diffGamma,
          diffBeta,
          p.workspace);
      Numbers.assertGradient("diffGamma", DType.F32, expected[0], lab.read(diffGamma));
      Numbers.assertGradient("diffBeta", DType.F32, expected[1], lab.read(diffBeta));
      Numbers.assertGradient("diffSrc", dtype, expected[2], lab.read(diff));
    }
  }

  private static void assertMean(Problem p, double[] actual) {
    double[] farthest = new double[actual.length];
    for (int i = 0; i < p.src.length; i++) {
      int c = i % actual.length;
      farthest[c] = Math.max(farthest[c], Math.abs(p.src[i] - p.reference.mean[c]));
    }
    for (int c = 0; c < actual.length; c++) {
      double scale = Math.abs(p.reference.mean[c]) + farthest[c];
      assertEquals(p.reference.mean[c], actual[c], 1.3e-6 * scale, "mean of channel " + c);
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void inferenceInPlace(Device device, DType dtype, Activation activation, int rows, int channels) {
    Random random = new Random(7);
    try (Lab lab = new Lab(device)) {
      Problem p = new Problem(lab, dtype, activation, rows, channels, random, 0);
      double[] mean = Numbers.reals(random, DType.F32, channels);
      double[] var = Numbers.reals(random, DType.F32, channels);
      double[] expected = new double[p.src.length];
      for (int c = 0; c < channels; c++) {
        var[c] = Math.abs(var[c]);
      }
      for (int i = 0; i < expected.length; i++) {
        int c = i % channels;
        double normal = (p.src[i] - mean[c]) / Math.sqrt(var[c] + Problem.EPSILON);
        expected[i] = ActivationReference.apply(activation, p.gamma[c] * normal + p.beta[c]);
      }
      p.op.forwardInference(
          lab.stream,
          p.srcTensor,
          p.gammaTensor,
          p.betaTensor,
          lab.in(DType.F32, mean, channels),
          lab.in(DType.F32, var, channels),
          p.srcTensor);
      Numbers.assertBackward("inference", dtype, expected, lab.read(p.srcTensor));
    }
  }

  /** One-pass E[x^2]-E[x]^2 would be wrong by a hundredth here. */
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void statisticsKeepTheirDigitsFarFromZero(Device device) {
    for (double offset : new double[] {20, 1000, -3000}) {
      try (Lab lab = new Lab(device)) {
        Problem p =
            new Problem(lab, DType.F32, Activation.IDENTITY, 4096, 24, new Random(5), offset);
        p.forward(null, null);
        double[] mean = lab.read(p.mean);
        double[] invStd = lab.read(p.invStd);
        for (int c = 0; c < 24; c++) {
          double std = Math.sqrt(p.reference.variance[c] + Problem.EPSILON);
          assertEquals(p.reference.mean[c], mean[c], Math.abs(offset) * 3e-7, "mean at " + offset);
          assertEquals(1, invStd[c] * std, 1e-5, "1/std at " + offset);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void bitsDoNotDependOnThreads(Device device, DType dtype) {
    List<double[]> first = null;
    int[][] settings = {{1, 0}, {2, 1}, {5, 7}, {1, 0}};
    for (int[] setting : settings) {
      try (Lab lab = new Lab(device)) {
        lab.stream.threads(setting[0]).order(setting[1]);
        Problem p = new Problem(lab, dtype, Activation.SILU, 777, 50, new Random(9), 0.1);
        p.forward(null, null);
        Tensor diff = lab.in(dtype, p.diffDst, 777, 50);
        Tensor diffSrc = lab.out(dtype, 777, 50);
        Tensor diffGamma = lab.out(DType.F32, 50);
        Tensor diffBeta = lab.out(DType.F32, 50);
        p.op.backward(
            lab.stream,
            p.srcTensor,
            diff,
            p.gammaTensor,
            p.betaTensor,
            p.mean,
            p.invStd,
            diffSrc,
            diffGamma,
            diffBeta,
            p.workspace);
        List<double[]> results =
            List.of(
                lab.read(p.dst),
                lab.read(p.mean),
                lab.read(p.invStd),
                lab.read(diffSrc),
                lab.read(diffGamma),
                lab.read(diffBeta));
        first = first == null ? results : first;
        for (int i = 0; i < results.size(); i++) {
          assertArrayEquals(first.get(i), results.get(i), "result " + i);
        }
      }
    }
  }

  @Tag("fuzz")
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void randomSizes(Device device, DType dtype) {
    Fuzz.run(
        getClass(),
        device,
        random ->
            trainingForwardAndBackward(
                device,
                dtype,
                Fuzz.any(random, Activation.values()),
                2 + random.nextInt(600),
                1 + random.nextInt(100)));
  }
}
