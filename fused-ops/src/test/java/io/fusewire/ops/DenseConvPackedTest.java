// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Packed weights and a residual, against the convolution that packs by itself. */
@Tag("unit")
class DenseConvPackedTest {
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void addsTheResidualWhereItIsTold(Device device, DType dtype) {
    check(device, dtype, ConvShape.same(2, 6, 5, 24, 16, 3, 1));
    check(device, dtype, ConvShape.symmetric(2, 7, 6, 8, 9, 3, 2));
    check(device, dtype, ConvShape.symmetric(2, 5, 4, 24, 16, 1, 1)); // the kernels of rows
  }

  private static void check(Device device, DType dtype, ConvShape shape) {
    Random random = new Random(shape.inChannels());
    long[] out = {shape.batch(), shape.outHeight(), shape.outWidth(), shape.outChannels()};
    try (Lab lab = new Lab(device)) {
      Stream q = lab.stream;
      Tensor src =
          reals(
              lab,
              dtype,
              random,
              shape.batch(),
              shape.inHeight(),
              shape.inWidth(),
              shape.inChannels());
      Tensor weights =
          reals(
              lab,
              DType.F32,
              random,
              shape.outChannels(),
              shape.kernelHeight(),
              shape.kernelWidth(),
              shape.inChannels());
      Tensor bias = reals(lab, DType.F32, random, shape.outChannels());
      Tensor residual = reals(lab, dtype, random, out);
      DenseConv relu = new DenseConv(shape, dtype, Activation.RELU);
      DenseConv plain = new DenseConv(shape, dtype, Activation.IDENTITY);
      Tensor packed = lab.workspace(relu.packedBytes(q));
      relu.pack(q, weights, packed);
      Tensor space = lab.workspace(relu.workspaceBytes(q));
      Tensor expected = lab.out(dtype, out);
      Tensor dst = lab.out(dtype, out);
      relu.forward(q, src, weights, bias, expected, space);
      relu.forwardPacked(q, src, packed, bias, null, ResidualPlace.AFTER_ACTIVATION, dst);
      double[] activated = lab.read(expected);
      if (shape.kernelHeight() > 1) {
        assertArrayEquals(activated, lab.read(dst));
      } else {
        NormedSource.assertAgrees("without residual", dtype, activated, lab.read(dst));
      }
      plain.forward(q, src, weights, bias, expected, space);
      double[] raw = lab.read(expected);
      double[] added = lab.read(residual);
      double[] before = new double[raw.length];
      double[] after = new double[raw.length];
      for (int i = 0; i < raw.length; i++) {
        before[i] = Math.max(0, raw[i] + added[i]);
        after[i] = activated[i] + added[i];
      }
      relu.forwardPacked(q, src, packed, bias, residual, ResidualPlace.AFTER_ACTIVATION, dst);
      NormedSource.assertAgrees("after", dtype, after, lab.read(dst));
      relu.forwardPacked( // in place
          q, src, packed, bias, residual, ResidualPlace.BEFORE_ACTIVATION, residual);
      NormedSource.assertAgrees("before", dtype, before, lab.read(residual));
    }
  }

  private static Tensor reals(Lab lab, DType dtype, Random random, long... shape) {
    return lab.in(
        dtype, Numbers.reals(random, dtype, Shape.of("test", dtype, shape).elements()), shape);
  }
}
