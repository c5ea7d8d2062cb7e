// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The fused mean against {@link BatchNorm} and {@link MeanPool}. */
@Tag("unit")
class FusedMeanPoolTest {
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void isMeanPoolAfterBatchNorm(Device device, DType dtype) {
    for (int[] size : new int[][] {{2, 49, 40}, {1, 100, 7}, {6, 1, 33}}) {
      check(device, dtype, size[0], size[1], size[2]);
    }
  }

  private static void check(Device device, DType dtype, int batch, int pixels, int channels) {
    Random random = new Random(channels);
    try (Lab lab = new Lab(device)) {
      NormedSource source =
          NormedSource.random(lab, dtype, Activation.SILU, random, batch, pixels, channels);
      FusedMeanPool fused = new FusedMeanPool(batch, pixels, channels, dtype, Activation.SILU);
      MeanPool plain = new MeanPool(batch, pixels, channels, dtype);
      Tensor workspace = lab.workspace(fused.workspaceBytes(lab.stream));
      Tensor pooled = lab.out(DType.F32, batch, channels);
      fused.forward(lab.stream, source.tensor, source.norm, pooled, workspace);
      Tensor expected = lab.out(DType.F32, batch, channels);
      Tensor plainWorkspace = lab.workspace(plain.workspaceBytes(lab.stream));
      plain.forward(lab.stream, source.activated, expected, plainWorkspace);
      NormedSource.assertAgrees("pooled", dtype, lab.read(expected), lab.read(pooled));
      plain.forward(lab.stream, source.tensor, expected, plainWorkspace);
      FusedMeanPool identity =
          new FusedMeanPool(batch, pixels, channels, dtype, Activation.IDENTITY);
      identity.forward(lab.stream, source.tensor, null, pooled, workspace);
      NormedSource.assertAgrees("without norm", DType.F32, lab.read(expected), lab.read(pooled));

      Tensor diffPooled =
          lab.in(
              DType.F32,
              Numbers.reals(random, DType.F32, (long) batch * channels),
              batch,
              channels);
      Tensor diffSrc = lab.out(dtype, batch, pixels, channels);
      Tensor gamma = lab.out(DType.F32, channels);
      Tensor beta = lab.out(DType.F32, channels);
      Tensor gradient = lab.out(DType.F32, 2, channels);
      fused.backward(
          lab.stream,
          source.tensor,
          source.norm,
          diffPooled,
          diffSrc,
          gamma,
          beta,
          gradient,
          workspace);
      Tensor spread = lab.out(dtype, batch, pixels, channels);
      plain.backward(lab.stream, diffPooled, spread);
      double[] diff = lab.read(spread);
      NormedSource.assertAgrees(
          "diffSrc", dtype, source.throughActivation(diff), lab.read(diffSrc));
      source.assertGradients(diff, gamma, beta, gradient);
    }
  }
}
