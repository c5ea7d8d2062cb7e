// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The fused squeeze-and-excite against {@link BatchNorm} and {@link SqueezeExcite}. */
@Tag("unit")
class FusedSqueezeExciteTest {
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void isSqueezeExciteAfterBatchNorm(Device device, DType dtype) {
    for (int[] size : new int[][] {{2, 49, 32, 8}, {1, 100, 17, 5}, {3, 4, 7, 20}}) {
      check(device, dtype, size, Activation.SILU, Gate.SIGMOID);
      check(device, dtype, size, Activation.RELU, Gate.HARD_SIGMOID);
    }
  }

  private static void check(
      Device device, DType dtype, int[] size, Activation activation, Gate gateFunction) {
    int batch = size[0];
    int pixels = size[1];
    int channels = size[2];
    int squeezed = size[3];
    Random random = new Random(channels);
    try (Lab lab = new Lab(device)) {
      Stream q = lab.stream;
      NormedSource source =
          NormedSource.random(lab, dtype, Activation.SILU, random, batch, pixels, channels);
      SqueezeExcite plain =
          new SqueezeExcite(batch, pixels, channels, squeezed, dtype, activation, gateFunction);
      FusedSqueezeExcite fused =
          new FusedSqueezeExcite(
              batch, pixels, channels, squeezed, dtype, Activation.SILU, activation, gateFunction);
      Tensor reduce = reals(lab, random, 0.3, squeezed, channels);
      Tensor reduceBias = reals(lab, random, 1, squeezed);
      Tensor expand = reals(lab, random, 0.3, channels, squeezed);
      Tensor expandBias = reals(lab, random, 1, channels);
      Tensor[] expected = state(lab, batch, channels, squeezed);
      Tensor[] got = state(lab, batch, channels, squeezed);
      Tensor plainSpace = lab.workspace(plain.workspaceBytes(q));
      Tensor space = lab.workspace(fused.workspaceBytes(q));
      Tensor gated = lab.out(dtype, batch, pixels, channels);
      plain.forward(
          q,
          source.activated,
          reduce,
          reduceBias,
          expand,
          expandBias,
          expected[0],
          expected[1],
          expected[2],
          gated,
          plainSpace);
      fused.forward(
          q,
          source.tensor,
          source.norm,
          reduce,
          reduceBias,
          expand,
          expandBias,
          got[0],
          got[1],
          got[2],
          space);
      String[] names = {"pooled", "hidden", "gate"};
      for (int i = 0; i < names.length; i++) {
        NormedSource.assertAgrees(names[i], dtype, lab.read(expected[i]), lab.read(got[i]));
      }

      double[] diff = Numbers.reals(random, dtype, source.raw.length);
      Tensor diffTensor = lab.in(dtype, diff, batch, pixels, channels);
      Tensor diffActivated = lab.out(dtype, batch, pixels, channels);
      Tensor[] expectedDiff = gradients(lab, channels, squeezed);
      Tensor[] gotDiff = gradients(lab, channels, squeezed);
      plain.backward(
          q,
          source.activated,
          diffTensor,
          reduce,
          expand,
          expected[0],
          expected[1],
          expected[2],
          diffActivated,
          expectedDiff[0],
          expectedDiff[1],
          expectedDiff[2],
          expectedDiff[3],
          plainSpace);
      Tensor poolGradient = lab.out(DType.F32, batch, channels);
      Tensor gamma = lab.out(DType.F32, channels);
      Tensor beta = lab.out(DType.F32, channels);
      Tensor gradient = lab.out(DType.F32, 2, channels);
      fused.backward(
          q,
          source.tensor,
          source.norm,
          diffTensor,
          reduce,
          expand,
          got[0],
          got[1],
          got[2],
          poolGradient,
          gotDiff[0],
          gotDiff[1],
          gotDiff[2],
          gotDiff[3],
          gamma,
          beta,
          gradient,
          space);
      for (int i = 0; i < gotDiff.length; i++) {
        NormedSource.assertAgrees(
            "parameter " + i, dtype, lab.read(expectedDiff[i]), lab.read(gotDiff[i]));
      }
      double[] throughGate =
          NormedSource.scaled(diff, lab.read(got[2]), lab.read(poolGradient), channels);
      NormedSource.assertAgrees("through gate", dtype, lab.read(diffActivated), throughGate);
      source.assertGradients(throughGate, gamma, beta, gradient);
    }
  }

  private static Tensor reals(Lab lab, Random random, double scale, long... shape) {
    long count = Shape.of("test", DType.F32, shape).elements();
    double[] values = Numbers.reals(random, DType.F32, count);
    return lab.in(DType.F32, Numbers.scaled(values, scale, DType.F32), shape);
  }

  private static Tensor[] state(Lab lab, int batch, int channels, int squeezed) {
    return new Tensor[] {
      lab.out(DType.F32, batch, channels),
      lab.out(DType.F32, batch, squeezed),
      lab.out(DType.F32, batch, channels)
    };
  }

  private static Tensor[] gradients(Lab lab, int channels, int squeezed) {
    return new Tensor[] {
      lab.out(DType.F32, squeezed, channels),
      lab.out(DType.F32, squeezed),
      lab.out(DType.F32, channels, squeezed),
      lab.out(DType.F32, channels)
    };
  }
}
