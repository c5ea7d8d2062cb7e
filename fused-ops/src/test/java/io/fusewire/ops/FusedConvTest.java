// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The fused convolution against {@link BatchNorm}, {@link DenseConv} and BatchNorm. */
@Tag("unit")
class FusedConvTest {
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void isDenseConvBeforeBatchNorm(Device device, DType dtype) {
    check(device, dtype, ConvShape.same(2, 11, 10, 3, 24, 3, 2), null, false);
    check(device, dtype, ConvShape.symmetric(3, 6, 7, 1, 17, 3, 1), null, true);
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void isDenseConvBetweenBatchNorms(Device device, DType dtype) {
    check(device, dtype, ConvShape.same(2, 7, 6, 24, 16, 3, 1), Activation.SILU, true);
    check(device, dtype, ConvShape.symmetric(2, 8, 7, 16, 24, 3, 2), Activation.RELU, false);
    check(device, dtype, ConvShape.symmetric(3, 7, 9, 8, 24, 1, 2), Activation.RELU6, true);
    check(device, dtype, ConvShape.same(1, 9, 9, 5, 8, 5, 2), Activation.IDENTITY, false);
  }

  private static void check(
      Device device, DType dtype, ConvShape shape, Activation normed, boolean scaled) {
    Random random = new Random(shape.outChannels());
    long[] in = {shape.batch(), shape.inHeight(), shape.inWidth(), shape.inChannels()};
    long[] out = {shape.batch(), shape.outHeight(), shape.outWidth(), shape.outChannels()};
    long[] filter = {
      shape.outChannels(), shape.kernelHeight(), shape.kernelWidth(), shape.inChannels()
    };
    try (Lab lab = new Lab(device)) {
      Stream q = lab.stream;
      Activation activation = normed == null ? Activation.IDENTITY : normed;
      NormedSource source = NormedSource.random(lab, dtype, activation, random, in);
      Tensor src = source.tensor;
      Tensor norm = normed == null ? null : source.norm;
      Tensor read = normed == null ? src : source.activated;
      Tensor weights = reals(lab, DType.F32, random, filter);
      FusedConv fused =
          new FusedConv(shape, dtype, activation, NormedSource.EPSILON, NormedSource.MOMENTUM);
      DenseConv plain = new DenseConv(shape, dtype, Activation.IDENTITY);
      Tensor space = lab.workspace(fused.workspaceBytes(q));
      Tensor plainSpace = lab.workspace(plain.workspaceBytes(q));
      NormedResult result = new NormedResult(lab, dtype, random, out);
      double[][] before = result.running();
      fused.forward(
          q,
          src,
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
      plain.forward(q, read, weights, null, expected, plainSpace);
      NormedSource.assertAgrees("dst", dtype, lab.read(expected), lab.read(result.dst));
      result.check(before, Activation.IDENTITY);

      Tensor diffOut = reals(lab, dtype, random, out);
      double[] factor = new double[(int) shape.batch()];
      for (int n = 0; n < factor.length; n++) {
        factor[n] = scaled ? (n % 2 == 1 ? 0 : 1.25) : 1;
      }
      Tensor scale = scaled ? lab.in(DType.F32, factor, factor.length) : null;
      Tensor table = result.gradientTable(diffOut, scale, Activation.IDENTITY);
      double[] d = result.source.backward(NormedSource.scaledImages(lab.read(diffOut), factor)).src;
      Tensor diffRaw = lab.in(dtype, d, out);

      double[] added = Numbers.reals(random, dtype, source.raw.length);
      Tensor addend = lab.in(dtype, added, in);
      Tensor transposed = lab.out(dtype, in);
      plain.backwardData(q, diffRaw, weights, transposed, plainSpace);
      double[] expectedSrc = lab.read(transposed);
      for (int i = 0; i < added.length; i++) {
        expectedSrc[i] += added[i];
      }
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
      NormedSource.assertAgrees("diffSrc", dtype, expectedSrc, lab.read(addend));

      Tensor expectedWeights = lab.out(DType.F32, filter);
      Tensor diffWeights = lab.out(DType.F32, filter);
      plain.backwardWeights(q, read, diffRaw, expectedWeights, null, plainSpace);
      fused.backwardWeights(
          q, src, norm, diffOut, scale, result.dst, result.norm, table, diffWeights, space);
      NormedSource.assertAgrees(
          "diffWeights", dtype, lab.read(expectedWeights), lab.read(diffWeights));
    }
  }

  private static Tensor reals(Lab lab, DType dtype, Random random, long... shape) {
    return lab.in(
        dtype, Numbers.reals(random, dtype, Shape.of("test", dtype, shape).elements()), shape);
  }
}
