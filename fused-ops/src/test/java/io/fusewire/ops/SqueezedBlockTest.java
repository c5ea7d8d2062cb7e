// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Inference of an inverted residual block by {@link SqueezedDepthwise}, {@link SqueezedGate} and
 * {@link GatedPointwise} against {@link PointwiseConv}, {@link DepthwiseConv} and {@link
 * SqueezeExcite}.
 */
@Tag("unit")
class SqueezedBlockTest {
  private static final Activation SILU = Activation.SILU;

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void isTheBlockOfUnfusedOperations(Device device, DType dtype) {
    for (int kernel : new int[] {3, 5, 7}) {
      for (int stride : new int[] {1, 2}) {
        check(device, dtype, ConvShape.same(2, 7, 6, 24, 24, kernel, stride), 4);
      }
    }
    check(device, dtype, ConvShape.symmetric(1, 9, 8, 70, 70, 3, 1), 16);
    check(device, dtype, ConvShape.same(3, 1, 1, 17, 17, 3, 1), 3);
  }

  private static void check(Device device, DType dtype, ConvShape shape, int from) {
    Random random = new Random(shape.inChannels());
    int batch = (int) shape.batch();
    int channels = (int) shape.inChannels();
    long pixels = shape.outHeight() * shape.outWidth();
    int squeezed = 3;
    try (Lab lab = new Lab(device)) {
      Stream q = lab.stream;
      final Tensor src =
          reals(lab, dtype, random, 1, batch, shape.inHeight(), shape.inWidth(), from);
      final Tensor expandWeights = reals(lab, DType.F32, random, 0.5, channels, from);
      final Tensor expandBias = reals(lab, DType.F32, random, 0.5, channels);
      final Tensor weights =
          reals(lab, DType.F32, random, 0.5, shape.kernelHeight(), shape.kernelWidth(), channels);
      final Tensor bias = reals(lab, DType.F32, random, 0.5, channels);

      PointwiseConv expand =
          new PointwiseConv(
              batch * shape.inHeight() * shape.inWidth(), from, channels, dtype, SILU);
      Tensor packed = lab.workspace(expand.packedBytes(q));
      expand.pack(q, expandWeights, packed);
      Tensor expanded = lab.out(dtype, batch, shape.inHeight(), shape.inWidth(), channels);
      expand.forwardPacked(q, src, packed, expandBias, null, expanded);
      Tensor plain = lab.out(dtype, batch, shape.outHeight(), shape.outWidth(), channels);
      new DepthwiseConv(shape, dtype, SILU).forward(q, expanded, weights, bias, plain);

      final Tensor reduce = reals(lab, DType.F32, random, 0.3, squeezed, channels);
      final Tensor reduceBias = reals(lab, DType.F32, random, 1, squeezed);
      final Tensor excite = reals(lab, DType.F32, random, 0.3, channels, squeezed);
      final Tensor exciteBias = reals(lab, DType.F32, random, 1, channels);
      SqueezeExcite squeezeExcite =
          new SqueezeExcite(batch, pixels, channels, squeezed, dtype, SILU, Gate.SIGMOID);
      Tensor gate = lab.out(DType.F32, batch, channels);
      Tensor gated = lab.out(dtype, plain.shape());
      squeezeExcite.forward(
          q,
          plain,
          reduce,
          reduceBias,
          excite,
          exciteBias,
          lab.out(DType.F32, batch, channels),
          lab.out(DType.F32, batch, squeezed),
          gate,
          gated,
          lab.workspace(squeezeExcite.workspaceBytes(q)));

      int out = 10;
      PointwiseConv project =
          new PointwiseConv(batch * pixels, channels, out, dtype, Activation.IDENTITY);
      Tensor projectPacked = lab.workspace(project.packedBytes(q));
      project.pack(q, reals(lab, DType.F32, random, 0.3, out, channels), projectPacked);
      final Tensor projectBias = reals(lab, DType.F32, random, 0.5, out);
      final Tensor residual =
          reals(lab, dtype, random, 1, batch, shape.outHeight(), shape.outWidth(), out);
      Tensor expected = lab.out(dtype, residual.shape());
      project.forwardPacked(q, gated, projectPacked, projectBias, residual, expected);

      for (boolean onChip : new boolean[] {false, true}) {
        SqueezedDepthwise depthwise =
            onChip
                ? SqueezedDepthwise.expanding(shape, dtype, SILU, from, SILU)
                : new SqueezedDepthwise(shape, dtype, SILU);
        Tensor dst = lab.out(dtype, plain.shape());
        Tensor sums = lab.out(DType.F32, batch, depthwise.chunks(q), channels);
        if (onChip) {
          depthwise.forward(q, src, packed, expandBias, weights, bias, dst, sums);
        } else {
          depthwise.forward(q, expanded, null, null, weights, bias, dst, sums);
        }
        NormedSource.assertAgrees("depthwise", dtype, lab.read(plain), lab.read(dst));
        Tensor gotGate = lab.out(DType.F32, batch, channels);
        new SqueezedGate(batch, pixels, depthwise.chunks(q), channels, squeezed, SILU, Gate.SIGMOID)
            .forward(
                q,
                sums,
                reduce,
                reduceBias,
                excite,
                exciteBias,
                lab.out(DType.F32, batch, channels),
                lab.out(DType.F32, batch, squeezed),
                gotGate);
        NormedSource.assertAgrees("gate", dtype, lab.read(gate), lab.read(gotGate));
        Tensor result = lab.in(dtype, lab.read(residual), residual.shape());
        new GatedPointwise(batch, pixels, channels, out, dtype, Activation.IDENTITY)
            .forward(q, dst, gotGate, projectPacked, projectBias, result, result);
        NormedSource.assertAgrees("block", dtype, lab.read(expected), lab.read(result));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void whatCannotBeMadeOnChipIsRefused(Device device) {
    try (Lab lab = new Lab(device)) {
      ConvShape shape = ConvShape.same(1, 5, 6, 4, 4, 9, 1);
      var op = SqueezedDepthwise.expanding(shape, DType.F32, SILU, 2, SILU);
      Exception e = assertThrows(UnsupportedException.class, () -> op.chunks(lab.stream));
      assertTrue(e.getMessage().contains("9x9"), e.getMessage());
      assertTrue(new SqueezedDepthwise(shape, DType.F32, SILU).chunks(lab.stream) >= 1);
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void expansionsOperandsWithoutExpansionAreRefused(Device device) {
    try (Lab lab = new Lab(device)) {
      var op = new SqueezedDepthwise(ConvShape.same(1, 5, 6, 4, 4, 3, 1), DType.F32, SILU);
      Tensor src = lab.out(DType.F32, 1, 5, 6, 4);
      Tensor bias = lab.out(DType.F32, 4);
      Tensor weights = lab.out(DType.F32, 3, 3, 4);
      Tensor dst = lab.out(DType.F32, 1, 5, 6, 4);
      Tensor sums = lab.out(DType.F32, 1, op.chunks(lab.stream), 4);
      refused(
          "there is no expansion",
          () -> op.forward(lab.stream, src, null, bias, weights, bias, dst, sums));
      refused("dst", () -> op.forward(lab.stream, src, null, null, weights, bias, src, sums));
      refused("expandFrom is 0", () -> SqueezedDepthwise.expanding(null, DType.F32, SILU, 0, SILU));
      refused(
          "outChannels 5",
          () -> new SqueezedDepthwise(ConvShape.same(1, 5, 6, 4, 5, 3, 1), DType.F32, SILU));
      refused("chunks is 0", () -> new SqueezedGate(1, 9, 0, 4, 2, SILU, Gate.SIGMOID));
      refused("dtype is I32", () -> new GatedPointwise(1, 9, 4, 4, DType.I32, SILU));
      refused("pixels is 0", () -> new GatedPointwise(1, 0, 4, 4, DType.F32, SILU));
    }
  }

  private static void refused(String text, Runnable run) {
    Exception e = assertThrows(IllegalArgumentException.class, run::run);
    assertTrue(e.getMessage().contains(text), e.getMessage());
  }

  private static Tensor reals(Lab lab, DType dtype, Random random, double scale, long... shape) {
    long count = Shape.of("test", dtype, shape).elements();
    double[] values = Numbers.reals(random, dtype, count);
    return lab.in(dtype, Numbers.scaled(values, scale, dtype), shape);
  }
}
