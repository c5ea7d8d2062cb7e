// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Pooling against a loop in double, with and without {@link BatchNorm} on load. */
@Tag("unit")
class PoolTest {
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void poolsNormedAndPlainSources(Device device, DType dtype) {
    for (PoolKind kind : PoolKind.values()) {
      for (boolean normed : new boolean[] {false, true}) {
        check(device, dtype, PoolShape.symmetric(2, 9, 8, 24, 3, 2, 1), kind, normed);
        check(device, dtype, PoolShape.ceil(2, 7, 5, 7, 2, 2), kind, normed);
      }
    }
  }

  private static void check(
      Device device, DType dtype, PoolShape shape, PoolKind kind, boolean normed) {
    long[] in = {shape.batch(), shape.inHeight(), shape.inWidth(), shape.channels()};
    long[] out = {shape.batch(), shape.outHeight(), shape.outWidth(), shape.channels()};
    Random random = new Random(shape.channels());
    try (Lab lab = new Lab(device)) {
      NormedSource source = NormedSource.random(lab, dtype, Activation.RELU, random, in);
      Pool pool = new Pool(shape, kind, dtype, Activation.RELU);
      // Ties of what is stored are none of what is not: a reference of its own from the raw values.
      double[] x = new double[source.raw.length];
      for (int i = 0; i < x.length; i++) {
        x[i] =
            normed
                ? ActivationReference.apply(Activation.RELU, (float) source.normed(i))
                : source.raw[i];
      }
      Tensor norm = normed ? source.norm : null;
      Tensor dst = lab.out(dtype, out);
      pool.forward(lab.stream, source.tensor, norm, dst);
      double[] diff = Numbers.reals(random, dtype, dst.elements());
      double[] added = Numbers.reals(random, dtype, x.length);
      Tensor addend = lab.in(dtype, added, in);
      boolean max = kind == PoolKind.MAX;
      pool.backward(
          lab.stream,
          max ? source.tensor : null,
          max ? norm : null,
          lab.in(dtype, diff, out),
          addend,
          addend); // in place
      double[] result = new double[diff.length];
      double[] gradient = added.clone();
      for (int i = 0; i < diff.length; i++) {
        window(shape, kind, x, i, diff[i], result, gradient);
      }
      NormedSource.assertAgrees("dst", dtype, result, lab.read(dst));
      NormedSource.assertAgrees("diffSrc", dtype, gradient, lab.read(addend));
    }
  }

  /** Element i of the result, and what its gradient adds to those of its window. */
  private static void window(
      PoolShape s, PoolKind kind, double[] x, int i, double diff, double[] result, double[] sum) {
    int channels = (int) s.channels();
    int column = (int) (i / channels % s.outWidth());
    int row = (int) (i / channels / s.outWidth() % s.outHeight());
    int image = (int) (i / channels / s.outWidth() / s.outHeight());
    double best = Double.NEGATIVE_INFINITY;
    double total = 0;
    int place = -1;
    int count = 0;
    for (int pass = 0; pass < 2; pass++) {
      for (long r = 0; r < s.kernelHeight() * s.kernelWidth(); r++) {
        long y = row * s.strideHeight() - s.padTop() + r / s.kernelWidth();
        long z = column * s.strideWidth() - s.padLeft() + r % s.kernelWidth();
        if (y < 0 || y >= s.inHeight() || z < 0 || z >= s.inWidth()) {
          continue;
        }
        int at = (int) (((image * s.inHeight() + y) * s.inWidth() + z) * channels) + i % channels;
        if (pass == 1) {
          if (kind == PoolKind.AVERAGE) {
            sum[at] += diff / count;
          } else if (at == place) {
            sum[at] += diff;
          }
          continue;
        }
        count++;
        total += x[at];
        if (x[at] > best) {
          best = x[at];
          place = at;
        }
      }
    }
    result[i] = kind == PoolKind.MAX ? best : total / count;
  }

  @Test
  void ceilIsPytorchsRule() {
    // in, kernel, stride and the result of torch.nn.AvgPool2d(kernel, stride, ceil_mode=True)
    long[][] cases = {
      {7, 2, 2, 4}, {8, 2, 2, 4}, {1, 2, 2, 1}, {7, 3, 2, 3}, {8, 3, 2, 4}, {9, 2, 3, 3},
      {10, 2, 4, 3}, {11, 2, 4, 3}, {8, 2, 5, 2}, {6, 1, 5, 2}, {7, 2, 5, 2}, {10, 1, 3, 4}
    };
    for (long[] c : cases) {
      PoolShape shape = PoolShape.ceil(1, c[0], c[0], 1, c[1], c[2]);
      assertEquals(c[3], shape.outHeight(), c[0] + " " + c[1] + " " + c[2]);
      assertEquals(c[3], shape.outWidth());
    }
  }

  @Test
  void impossibleSizesAreRefused() {
    refused("padTop is 2, less", () -> PoolShape.symmetric(1, 4, 4, 1, 2, 2, 2));
    refused("kernelHeight is 5000", () -> PoolShape.symmetric(1, 4, 4, 1, 5000, 2, 0));
    refused("kernelHeight is 0", () -> PoolShape.symmetric(1, 4, 4, 1, 0, 2, 0));
    refused("stride is 0", () -> PoolShape.ceil(1, 4, 4, 1, 2, 0));
    refused("channels is 0", () -> PoolShape.ceil(1, 4, 4, 0, 2, 2));
    refused("would be empty", () -> PoolShape.symmetric(1, 2, 2, 1, 3, 1, 0));
    refused("2^63-1", () -> PoolShape.ceil(1L << 40, 1L << 20, 1L << 20, 1, 2, 2));
    PoolShape good = PoolShape.ceil(1, 4, 4, 1, 2, 2);
    refused("dtype is I32", () -> new Pool(good, PoolKind.MAX, DType.I32, Activation.RELU));
    refused("kind is null", () -> new Pool(good, null, DType.F32, Activation.RELU));
    refused("inActivation is null", () -> new Pool(good, PoolKind.MAX, DType.F32, null));
  }

  private static void refused(String part, org.junit.jupiter.api.function.Executable run) {
    Exception e = assertThrows(IllegalArgumentException.class, run);
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }
}
