// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The gradient table against {@link BatchNorm#backward}. */
@Tag("unit")
class NormGradientTest {
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void isBatchNormsGradient(Device device, DType dtype) {
    int[][] sizes = {{3, 16, 24}, {1, 50, 7}, {5, 9, 33}};
    for (int[] size : sizes) {
      for (Activation activation : Activation.values()) {
        for (boolean scaled : new boolean[] {false, true}) {
          check(device, dtype, size, activation, scaled);
        }
      }
    }
  }

  private static void check(
      Device device, DType dtype, int[] size, Activation activation, boolean scaled) {
    Random random = new Random(size[2]);
    int channels = size[2];
    try (Lab lab = new Lab(device)) {
      NormedSource source =
          NormedSource.random(lab, dtype, activation, random, size[0], size[1], channels);
      double[] diff = Numbers.reals(random, dtype, source.raw.length);
      double[] factor = new double[size[0]];
      for (int n = 0; n < factor.length; n++) {
        factor[n] = n % 2 == 1 ? 0 : 1.25;
      }
      NormGradient op = new NormGradient(size[0], size[1], channels, dtype, activation);
      Tensor gamma = lab.out(DType.F32, channels);
      Tensor beta = lab.out(DType.F32, channels);
      Tensor gradient = lab.out(DType.F32, 2, channels);
      op.run(
          lab.stream,
          source.tensor,
          source.norm,
          lab.in(dtype, diff, size[0], size[1], channels),
          scaled ? lab.in(DType.F32, factor, size[0]) : null,
          gamma,
          beta,
          gradient,
          lab.workspace(op.workspaceBytes(lab.stream)));
      source.assertGradients(
          scaled ? NormedSource.scaledImages(diff, factor) : diff, gamma, beta, gradient);
    }
  }
}
