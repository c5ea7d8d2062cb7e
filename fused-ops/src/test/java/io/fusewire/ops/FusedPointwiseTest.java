// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The fused product against {@link BatchNorm}, a gate, {@link PointwiseConv} and BatchNorm. */
@Tag("unit")
class FusedPointwiseTest {
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void isPointwiseConvBetweenBatchNorms(Device device, DType dtype) {
    for (boolean normed : new boolean[] {false, true}) {
      for (boolean gated : new boolean[] {false, true}) {
        for (boolean scaled : new boolean[] {false, true}) {
          check(device, dtype, new int[] {3, 30, 24, 17}, normed, gated, scaled);
        }
      }
    }
    check(device, dtype, new int[] {2, 49, 40, 32}, true, true, true);
    check(device, dtype, new int[] {1, 30, 3, 2}, true, true, false);
  }

  private static void check(
      Device device, DType dtype, int[] size, boolean normed, boolean gated, boolean scaled) {
    int batch = size[0];
    int pixels = size[1];
    int in = size[2];
    int out = size[3];
    Random random = new Random(in);
    try (Lab lab = new Lab(device)) {
      Stream q = lab.stream;
      Activation activation = normed ? Activation.SILU : Activation.IDENTITY;
      NormedSource source = NormedSource.random(lab, dtype, activation, random, batch, pixels, in);
      double[] gates = new double[batch * in];
      for (int i = 0; i < gates.length; i++) {
        gates[i] = gated ? random.nextFloat() : 1;
      }
      double[] values = normed ? lab.read(source.activated) : source.raw;
      Tensor read = lab.in(dtype, NormedSource.scaled(values, gates, null, in), batch, pixels, in);
      Tensor norm = normed ? source.norm : null;
      Tensor gate = gated ? lab.in(DType.F32, gates, batch, in) : null;
      Tensor weights =
          lab.in(DType.F32, Numbers.reals(random, DType.F32, (long) out * in), out, in);
      FusedPointwise fused =
          new FusedPointwise(
              batch,
              pixels,
              in,
              out,
              dtype,
              activation,
              NormedSource.EPSILON,
              NormedSource.MOMENTUM);
      PointwiseConv plain =
          new PointwiseConv((long) batch * pixels, in, out, dtype, Activation.IDENTITY);
      Tensor space = lab.workspace(fused.workspaceBytes(q));
      Tensor plainSpace = lab.workspace(plain.workspaceBytes(q));
      NormedResult result = new NormedResult(lab, dtype, random, batch, pixels, out);
      double[][] before = result.running();
      fused.forward(
          q,
          source.tensor,
          norm,
          gate,
          weights,
          result.gamma,
          result.beta,
          result.runningMean,
          result.runningVar,
          result.dst,
          result.norm,
          space);
      Tensor expected = lab.out(dtype, batch, pixels, out);
      plain.forward(q, read, weights, null, null, expected, null, plainSpace);
      NormedSource.assertAgrees("dst", dtype, lab.read(expected), lab.read(result.dst));
      result.check(before, Activation.IDENTITY);

      double[] diff = Numbers.reals(random, dtype, (long) batch * pixels * out);
      double[] factor = new double[batch];
      for (int n = 0; n < batch; n++) {
        factor[n] = scaled ? (n % 2 == 1 ? 0 : 1.25) : 1;
      }
      Tensor diffOut = lab.in(dtype, diff, batch, pixels, out);
      Tensor scale = scaled ? lab.in(DType.F32, factor, batch) : null;
      Tensor table = result.gradientTable(diffOut, scale, Activation.IDENTITY);
      double[] d = result.source.backward(NormedSource.scaledImages(diff, factor)).src;
      Tensor diffRaw = lab.in(dtype, d, batch, pixels, out);

      double[] added = Numbers.reals(random, dtype, source.raw.length);
      Tensor addend = lab.in(dtype, added, batch, pixels, in);
      Tensor addendOfBoth = lab.in(dtype, added, batch, pixels, in);
      Tensor expectedSrc = lab.out(dtype, batch, pixels, in);
      plain.backwardData(q, diffRaw, weights, null, addend, expectedSrc, plainSpace);
      fused.backwardData(
          q,
          diffOut,
          scale,
          result.dst,
          result.norm,
          table,
          weights,
          addend,
          addend, // in place
          space);
      NormedSource.assertAgrees("diffSrc", dtype, lab.read(expectedSrc), lab.read(addend));
      Tensor expectedWeights = lab.out(DType.F32, out, in);
      Tensor diffWeights = lab.out(DType.F32, out, in);
      plain.backwardWeights(q, read, diffRaw, null, expectedWeights, null, plainSpace);
      fused.backwardWeights(
          q,
          source.tensor,
          norm,
          gate,
          diffOut,
          scale,
          result.dst,
          result.norm,
          table,
          diffWeights,
          space);
      NormedSource.assertAgrees(
          "diffWeights", dtype, lab.read(expectedWeights), lab.read(diffWeights));

      Tensor weightsOfBoth = lab.out(DType.F32, out, in);
      fused.backward(
          q,
          source.tensor,
          norm,
          gate,
          diffOut,
          scale,
          result.dst,
          result.norm,
          table,
          weights,
          addendOfBoth,
          addendOfBoth, // in place
          weightsOfBoth,
          space);
      NormedSource.assertAgrees(
          "diffSrc of both", dtype, lab.read(expectedSrc), lab.read(addendOfBoth));
      NormedSource.assertAgrees(
          "diffWeights of both", dtype, lab.read(expectedWeights), lab.read(weightsOfBoth));
    }
  }
}
