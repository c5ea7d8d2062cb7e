// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The fused sum against {@link BatchNorm} and {@link Residual}, with the same random numbers. */
@Tag("unit")
class FusedResidualTest {
  private static final int BATCH = 9;
  private static final int PIXELS = 12;
  private static final int CHANNELS = 21;
  private static final float RATE = 0.4f;
  private static final int LAYER = 3;

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void isResidualAfterBatchNorm(Device device, DType dtype) {
    Random random = new Random(2);
    try (Lab lab = new Lab(device);
        StepState step = new StepState(lab.stream)) {
      step.random(lab.stream, 5, 17);
      NormedSource branch = source(lab, dtype, random);
      NormedSource skip = source(lab, dtype, random);
      Residual plain = new Residual(BATCH, (long) PIXELS * CHANNELS, dtype, RATE, LAYER);
      FusedResidual fused =
          new FusedResidual(BATCH, PIXELS, CHANNELS, dtype, Activation.IDENTITY, RATE, LAYER);
      Tensor scale = lab.out(DType.F32, BATCH);
      fused.scales(lab.stream, step, scale);
      Tensor expected = lab.out(dtype, BATCH, PIXELS, CHANNELS);
      Tensor dst = lab.out(dtype, BATCH, PIXELS, CHANNELS);
      plain.forward(lab.stream, step, branch.activated, skip.activated, expected);
      fused.forward(lab.stream, branch.tensor, branch.norm, scale, skip.tensor, skip.norm, dst);
      NormedSource.assertAgrees("dst", dtype, lab.read(expected), lab.read(dst));
      // Nothing normalised: the same operation, in place.
      plain.forward(lab.stream, step, branch.tensor, skip.tensor, expected);
      fused.forward(lab.stream, branch.tensor, null, scale, skip.tensor, null, skip.tensor);
      assertArrayEquals(lab.read(expected), lab.read(skip.tensor));
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void anActivationFollowsTheSum(Device device, DType dtype) {
    for (Activation out : new Activation[] {Activation.RELU, Activation.RELU6}) {
      Random random = new Random(3);
      try (Lab lab = new Lab(device)) {
        NormedSource branch = source(lab, dtype, random);
        NormedSource skip =
            NormedSource.random(lab, dtype, Activation.RELU6, random, BATCH, PIXELS, CHANNELS);
        FusedResidual fused =
            new FusedResidual(
                BATCH,
                PIXELS,
                CHANNELS,
                dtype,
                Activation.IDENTITY,
                Activation.RELU6,
                out,
                0,
                LAYER);
        Tensor dst = lab.out(dtype, BATCH, PIXELS, CHANNELS);
        fused.forward(lab.stream, branch.tensor, branch.norm, null, skip.tensor, skip.norm, dst);
        double[] a = lab.read(branch.activated);
        double[] b = lab.read(skip.activated);
        double[] expected = new double[a.length];
        for (int i = 0; i < a.length; i++) {
          expected[i] = ActivationReference.apply(out, a[i] + b[i]);
        }
        NormedSource.assertAgrees("dst", dtype, expected, lab.read(dst));

        double[] diff = Numbers.reals(random, dtype, expected.length);
        Tensor diffDst = lab.in(dtype, diff, BATCH, PIXELS, CHANNELS);
        double[] result = lab.read(dst);
        fused.backward(lab.stream, dst, diffDst, diffDst); // in place
        double[] diffSum = new double[diff.length];
        for (int i = 0; i < diff.length; i++) {
          diffSum[i] = diff[i] * ActivationReference.slope(out, result[i]) + 0.0;
        }
        assertArrayEquals(diffSum, lab.read(diffDst));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void theDerivativeOfSiluNeedsTheSum(Device device) {
    try (Lab lab = new Lab(device)) {
      Tensor x = lab.out(DType.F32, 1, 1, 2).fill(lab.stream, 0);
      FusedResidual silu =
          new FusedResidual(
              1, 1, 2, DType.F32, Activation.SILU, Activation.SILU, Activation.SILU, 0, 1);
      Exception e =
          assertThrows(UnsupportedException.class, () -> silu.backward(lab.stream, x, x, x));
      assertTrue(e.getMessage().contains("out_activation is SiLU"), e.getMessage());
    }
  }

  private static NormedSource source(Lab lab, DType dtype, Random random) {
    return NormedSource.random(lab, dtype, Activation.IDENTITY, random, BATCH, PIXELS, CHANNELS);
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void scalesNeedAStepOnlyWhereTheyAreRandom(Device device) {
    try (Lab lab = new Lab(device)) {
      Tensor scale = lab.out(DType.F32, 2);
      FusedResidual never = new FusedResidual(2, 1, 1, DType.F32, Activation.IDENTITY, 0, 1);
      never.scales(lab.stream, null, scale);
      double[] ones = new double[2];
      Arrays.fill(ones, 1);
      assertArrayEquals(ones, lab.read(scale));
      FusedResidual some = new FusedResidual(2, 1, 1, DType.F32, Activation.IDENTITY, 0.5f, 1);
      Exception e =
          assertThrows(IllegalArgumentException.class, () -> some.scales(lab.stream, null, scale));
      assertTrue(e.getMessage().contains("step is null"), e.getMessage());
    }
  }
}
