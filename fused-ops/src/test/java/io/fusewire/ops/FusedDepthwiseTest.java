// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The fused convolution against {@link BatchNorm}, {@link DepthwiseConv} and BatchNorm. */
@Tag("unit")
class FusedDepthwiseTest {
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void isDepthwiseConvBetweenBatchNorms(Device device, DType dtype) {
    ConvShape strided = ConvShape.same(2, 11, 10, 24, 24, 3, 2);
    for (boolean normed : new boolean[] {false, true}) {
      for (boolean gated : new boolean[] {false, true}) {
        check(device, dtype, strided, normed, gated);
      }
    }
    check(device, dtype, ConvShape.symmetric(1, 6, 7, 17, 17, 5, 1), true, true);
    check(device, dtype, ConvShape.same(3, 5, 4, 8, 8, 3, 1).withDilation(2, 1), true, true);
  }

  private static void check(
      Device device, DType dtype, ConvShape shape, boolean normed, boolean gated) {
    int batch = (int) shape.batch();
    int channels = (int) shape.inChannels();
    Random random = new Random(channels);
    long[] in = {batch, shape.inHeight(), shape.inWidth(), channels};
    long[] out = {batch, shape.outHeight(), shape.outWidth(), channels};
    long[] filter = {shape.kernelHeight(), shape.kernelWidth(), channels};
    try (Lab lab = new Lab(device)) {
      Stream q = lab.stream;
      Activation inside = normed ? Activation.SILU : Activation.IDENTITY;
      NormedSource source = NormedSource.random(lab, dtype, inside, random, in);
      Tensor read = normed ? source.activated : source.tensor;
      Tensor norm = normed ? source.norm : null;
      Tensor weights = reals(lab, DType.F32, random, filter);
      FusedDepthwise fused =
          new FusedDepthwise(
              shape, dtype, inside, Activation.SILU, NormedSource.EPSILON, NormedSource.MOMENTUM);
      DepthwiseConv plain = new DepthwiseConv(shape, dtype, Activation.IDENTITY);
      Tensor space = lab.workspace(fused.workspaceBytes(q));
      Tensor plainSpace = lab.workspace(plain.workspaceBytes(q));
      NormedResult result = new NormedResult(lab, dtype, random, out);
      double[][] before = result.running();
      fused.forward(
          q,
          source.tensor,
          norm,
          weights,
          result.gamma,
          result.beta,
          result.runningMean,
          result.runningVar,
          result.dst,
          result.norm,
          space);
      Tensor expected = lab.out(dtype, out);
      plain.forward(q, read, weights, null, expected);
      NormedSource.assertAgrees("dst", dtype, lab.read(expected), lab.read(result.dst));
      result.check(before, Activation.SILU);

      Tensor diff = reals(lab, dtype, random, out);
      double[] gates = new double[batch * channels];
      double[] pools = new double[batch * channels];
      for (int i = 0; i < gates.length; i++) {
        gates[i] = gated ? random.nextFloat() : 1;
        pools[i] = gated ? random.nextFloat() - 0.5f : 0;
      }
      double[] diffActivated = NormedSource.scaled(lab.read(diff), gates, pools, channels);
      Tensor table = result.gradientTable(lab.in(dtype, diffActivated, out), null, Activation.SILU);
      Tensor diffRaw = lab.in(dtype, result.source.backward(diffActivated).src, out);
      Tensor expectedRead = lab.out(dtype, in);
      Tensor expectedWeights = lab.out(DType.F32, filter);
      plain.backwardData(q, diffRaw, weights, expectedRead);
      plain.backwardWeights(q, read, diffRaw, expectedWeights, null, plainSpace);

      Tensor diffSrc = lab.out(dtype, in);
      Tensor diffWeights = lab.out(DType.F32, filter);
      Tensor gamma = normed ? lab.out(DType.F32, channels) : null;
      Tensor beta = normed ? lab.out(DType.F32, channels) : null;
      Tensor gradient = normed ? lab.out(DType.F32, 2, channels) : null;
      fused.backward(
          q,
          source.tensor,
          norm,
          weights,
          result.dst,
          result.norm,
          table,
          diff,
          gated ? lab.in(DType.F32, gates, batch, channels) : null,
          gated ? lab.in(DType.F32, pools, batch, channels) : null,
          diffSrc,
          diffWeights,
          gamma,
          beta,
          gradient,
          space);
      double[] diffRead = lab.read(expectedRead);
      double[] through = normed ? source.throughActivation(diffRead) : diffRead;
      NormedSource.assertAgrees("diffSrc", dtype, through, lab.read(diffSrc));
      NormedSource.assertAgrees(
          "diffWeights", dtype, lab.read(expectedWeights), lab.read(diffWeights));
      if (normed) {
        source.assertGradients(diffRead, gamma, beta, gradient);
      }
    }
  }

  private static Tensor reals(Lab lab, DType dtype, Random random, long... shape) {
    return lab.in(
        dtype, Numbers.reals(random, dtype, Shape.of("test", dtype, shape).elements()), shape);
  }

  @Test
  void bothTensorsOfAPairOrNone() {
    ConvShape shape = ConvShape.same(1, 3, 3, 4, 4, 3, 1);
    FusedDepthwise op =
        new FusedDepthwise(shape, DType.F32, Activation.SILU, Activation.SILU, 1e-3f, 0.1f);
    FusedDepthwise plain =
        new FusedDepthwise(shape, DType.F32, Activation.IDENTITY, Activation.SILU, 1e-3f, 0.1f);
    try (Lab lab = new Lab(Device.cpu())) {
      Tensor x = lab.out(DType.F32, 1, 3, 3, 4);
      Tensor y = lab.out(DType.F32, 1, 3, 3, 4);
      Tensor w = lab.out(DType.F32, 3, 3, 4);
      Tensor n = lab.out(DType.F32, 4, 4);
      Tensor g = lab.out(DType.F32, 2, 4);
      Tensor v = lab.out(DType.F32, 4);
      Tensor i = lab.out(DType.F32, 1, 4);
      Stream q = lab.stream;
      refused(
          "poolGradient is null",
          () -> op.backward(q, x, n, w, y, n, g, y, i, null, x, w, v, v, g, null));
      refused(
          "gate is null", () -> op.backward(q, x, n, w, y, n, g, y, null, i, x, w, v, v, g, null));
      refused(
          "diffGamma is null but inNorm is not",
          () -> op.backward(q, x, n, w, y, n, g, y, i, i, x, w, null, v, g, null));
      refused(
          "inNorm is null but diffBeta is not",
          () -> plain.backward(q, x, null, w, y, n, g, y, i, i, x, w, null, v, null, null));
      refused(
          "inNorm is null, but there is an inActivation",
          () -> op.backward(q, x, null, w, y, n, g, y, i, i, x, w, null, null, null, null));
    }
  }

  private static void refused(String part, Executable run) {
    Exception e = assertThrows(IllegalArgumentException.class, run);
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }
}
