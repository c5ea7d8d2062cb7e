// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The stem's convolution against {@link DenseConv} and {@link BatchNorm}. */
@Tag("unit")
class FusedConvTest {
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void isDenseConvBeforeBatchNorm(Device device, DType dtype) {
    check(device, dtype, ConvShape.same(2, 11, 10, 3, 24, 3, 2));
    check(device, dtype, ConvShape.symmetric(3, 6, 7, 1, 17, 3, 1));
    check(device, dtype, ConvShape.same(1, 9, 9, 5, 8, 5, 2));
  }

  private static void check(Device device, DType dtype, ConvShape shape) {
    Random random = new Random(shape.outChannels());
    long[] in = {shape.batch(), shape.inHeight(), shape.inWidth(), shape.inChannels()};
    long[] out = {shape.batch(), shape.outHeight(), shape.outWidth(), shape.outChannels()};
    long[] filter = {
      shape.outChannels(), shape.kernelHeight(), shape.kernelWidth(), shape.inChannels()
    };
    try (Lab lab = new Lab(device)) {
      Stream q = lab.stream;
      Tensor src = reals(lab, dtype, random, in);
      Tensor weights = reals(lab, DType.F32, random, filter);
      FusedConv fused = new FusedConv(shape, dtype, NormedSource.EPSILON, NormedSource.MOMENTUM);
      DenseConv plain = new DenseConv(shape, dtype, Activation.IDENTITY);
      Tensor space = lab.workspace(fused.workspaceBytes(q));
      Tensor plainSpace = lab.workspace(plain.workspaceBytes(q));
      NormedResult result = new NormedResult(lab, dtype, random, out);
      double[][] before = result.running();
      fused.forward(
          q,
          src,
          weights,
          result.gamma,
          result.beta,
          result.runningMean,
          result.runningVar,
          result.dst,
          result.norm,
          space);
      Tensor expected = lab.out(dtype, out);
      plain.forward(q, src, weights, null, expected, plainSpace);
      NormedSource.assertAgrees("dst", dtype, lab.read(expected), lab.read(result.dst));
      result.check(before, Activation.IDENTITY);

      Tensor diffOut = reals(lab, dtype, random, out);
      Tensor table = result.gradientTable(diffOut, null, Activation.IDENTITY);
      double[] d = result.source.backward(lab.read(diffOut)).src;
      Tensor expectedWeights = lab.out(DType.F32, filter);
      Tensor diffWeights = lab.out(DType.F32, filter);
      plain.backwardWeights(q, src, lab.in(dtype, d, out), expectedWeights, null, plainSpace);
      fused.backwardWeights(q, src, diffOut, result.dst, result.norm, table, diffWeights, space);
      NormedSource.assertAgrees(
          "diffWeights", dtype, lab.read(expectedWeights), lab.read(diffWeights));
    }
  }

  private static Tensor reals(Lab lab, DType dtype, Random random, long... shape) {
    return lab.in(
        dtype, Numbers.reals(random, dtype, Shape.of("test", dtype, shape).elements()), shape);
  }
}
