// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("unit")
class ResidualTest {
  static List<Arguments> cases() {
    List<Arguments> cases = new ArrayList<>();
    for (Device device : Device.all()) {
      for (DType dtype : Lab.floating()) {
        for (int[] size : new int[][] {{1, 1}, {7, 5}, {4, 64}, {13, 97}, {3, 5000}}) {
          for (float rate : new float[] {0, 0.2f, 0.5f}) {
            cases.add(Arguments.of(device, dtype, size[0], size[1], rate));
          }
        }
      }
    }
    return cases;
  }

  private static double keep(long seed, int step, int layer, int image, float rate) {
    return PhiloxReference.uniform(seed, image, 0, step, layer) >= rate
        ? 1 / (1 - (double) rate)
        : 0;
  }

  @ParameterizedTest
  @MethodSource("cases")
  void forwardAndBackwardUseTheSameMask(
      Device device, DType dtype, int batch, int elements, float rate) {
    Random random = new Random(1);
    double[] branch = Numbers.reals(random, dtype, (long) batch * elements);
    double[] skip = Numbers.reals(random, dtype, (long) batch * elements);
    double[] diffDst = Numbers.reals(random, dtype, (long) batch * elements);
    double[] expected = new double[branch.length];
    double[] expectedDiff = new double[branch.length];
    for (int i = 0; i < expected.length; i++) {
      double keep = keep(5, 17, 9, i / elements, rate);
      expected[i] = branch[i] * keep + skip[i];
      expectedDiff[i] = diffDst[i] * keep;
    }
    Residual op = new Residual(batch, elements, dtype, rate, 9);
    try (Lab lab = new Lab(device);
        StepState step = new StepState(lab.stream)) {
      step.random(lab.stream, 5, 17);
      StepState given = rate == 0 ? null : step;
      Tensor dst = lab.out(dtype, batch, elements);
      Tensor branchTensor = lab.in(dtype, branch, batch, elements);
      Tensor skipTensor = lab.in(dtype, skip, batch, elements);
      op.forward(lab.stream, given, branchTensor, skipTensor, dst);
      double[] result = lab.read(dst);
      assertNear(expected, result, dtype);
      op.forward(lab.stream, given, branchTensor, skipTensor, branchTensor);
      assertNear(expected, lab.read(branchTensor), dtype);
      Tensor diff = lab.in(dtype, diffDst, batch, elements);
      op.backward(lab.stream, given, diff, diff);
      assertNear(expectedDiff, lab.read(diff), dtype);
    }
  }

  /** Whole images may be dropped, so zeros are right here. */
  private static void assertNear(double[] expected, double[] actual, DType dtype) {
    double relative = dtype == DType.F32 ? 2e-7 : dtype == DType.F16 ? 0x1p-11 : 0x1p-8;
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], actual[i], relative * (Math.abs(expected[i]) + 1), "element " + i);
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void theKeepRateIsTheOneAskedFor(Device device) {
    int batch = 4000;
    float rate = 0.2f;
    Residual op = new Residual(batch, 1, DType.F32, rate, 3);
    try (Lab lab = new Lab(device);
        StepState step = new StepState(lab.stream)) {
      int kept = 0;
      for (int s = 0; s < 5; s++) {
        step.random(lab.stream, 77, s);
        double[] ones = new double[batch];
        java.util.Arrays.fill(ones, 1);
        Tensor branch = lab.in(DType.F32, ones, batch, 1);
        op.backward(lab.stream, step, branch, branch);
        for (double value : lab.read(branch)) {
          kept += value != 0 ? 1 : 0;
        }
      }
      double n = batch * 5.0;
      assertEquals(n * (1 - rate), kept, 5 * Math.sqrt(n * rate * (1 - rate)));
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
            forwardAndBackwardUseTheSameMask(
                device,
                dtype,
                1 + random.nextInt(30),
                1 + random.nextInt(300),
                random.nextInt(9) / 10f));
  }
}
