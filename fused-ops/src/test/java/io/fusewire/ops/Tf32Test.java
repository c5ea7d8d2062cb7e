// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** TF32 is what was documented where tensor cores have it, and nothing elsewhere. */
@Tag("unit")
class Tf32Test {
  private static final int ROWS = 70;
  private static final int IN = 136;
  private static final int OUT = 72;

  /** Results of one setting: forward, packed forward, data gradient, weights' gradient. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Results(double[] dst, double[] packed, double[] diffSrc, double[] diffWeights) {}

  private static boolean hasTf32(Device device) {
    return device.kind() == Device.Kind.CHECKED
        || (device.kind() == Device.Kind.CUDA && device.computeCapability() >= 80);
  }

  private static Results run(Lab lab, double[] src, double[] weights, double[] diff) {
    PointwiseConv conv = new PointwiseConv(ROWS, IN, OUT, DType.F32, Activation.IDENTITY);
    Tensor workspace = lab.workspace(conv.workspaceBytes(lab.stream));
    Tensor x = lab.in(DType.F32, src, ROWS, IN);
    Tensor w = lab.in(DType.F32, weights, OUT, IN);
    Tensor d = lab.in(DType.F32, diff, ROWS, OUT);
    Tensor dst = lab.out(DType.F32, ROWS, OUT);
    Tensor again = lab.out(DType.F32, ROWS, OUT);
    Tensor diffSrc = lab.out(DType.F32, ROWS, IN);
    Tensor diffWeights = lab.out(DType.F32, OUT, IN);
    Tensor packed = lab.workspace(conv.packedBytes(lab.stream));
    conv.forward(lab.stream, x, w, null, null, dst, null, workspace);
    conv.pack(lab.stream, w, packed);
    conv.forwardPacked(lab.stream, x, packed, null, null, again);
    conv.backwardData(lab.stream, d, w, null, null, diffSrc, workspace);
    conv.backwardWeights(lab.stream, x, d, null, diffWeights, null, workspace);
    return new Results(lab.read(dst), lab.read(again), lab.read(diffSrc), lab.read(diffWeights));
  }

  private static void assertBound(
      String what, double[] exact, double[] magnitudes, int depth, double[] actual) {
    double bound = 0x1p-10 + 0x1p-22 + depth * 0x1p-23;
    double worst = 0;
    for (int i = 0; i < exact.length; i++) {
      worst = Math.max(worst, Math.abs(actual[i] - exact[i]) / magnitudes[i]);
    }
    assertTrue(worst <= bound, what + ": " + worst + " is over the documented " + bound);
    assertTrue(worst > 0x1p-16, what + ": nothing was rounded, " + worst);
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void productsStayWithinTheDocumentedBound(Device device) {
    Random random = new Random(5);
    double[] src = Numbers.reals(random, DType.F32, (long) ROWS * IN);
    double[] weights = Numbers.reals(random, DType.F32, (long) OUT * IN);
    double[] diff = Numbers.reals(random, DType.F32, (long) ROWS * OUT);
    try (Lab lab = new Lab(device)) {
      assertFalse(lab.stream.tf32Allowed(), "not allowed at first");
      Results plain = run(lab, src, weights, diff);
      lab.stream.allowTf32(true);
      assertTrue(lab.stream.tf32Allowed());
      Results tf32 = run(lab, src, weights, diff);
      lab.stream.allowTf32(false);
      Results after = run(lab, src, weights, diff);
      assertArrayEquals(plain.dst(), after.dst());
      assertArrayEquals(plain.diffSrc(), after.diffSrc());
      assertArrayEquals(plain.diffWeights(), after.diffWeights());
      assertArrayEquals(tf32.dst(), tf32.packed(), "packed weights");
      if (!hasTf32(device)) {
        assertArrayEquals(plain.dst(), tf32.dst(), "without effect");
        assertArrayEquals(plain.diffSrc(), tf32.diffSrc(), "without effect");
        assertArrayEquals(plain.diffWeights(), tf32.diffWeights(), "without effect");
        return;
      }
      ConvReference reference = new ConvReference(ConvShape.same(ROWS, 1, 1, IN, OUT, 1, 1), false);
      double[] a = magnitudes(src);
      double[] b = magnitudes(weights);
      double[] c = magnitudes(diff);
      assertBound(
          "forward",
          reference.forward(src, weights, null),
          reference.forward(a, b, null),
          IN,
          tf32.dst());
      assertBound(
          "backwardData",
          reference.backwardData(diff, weights),
          reference.backwardData(c, b),
          OUT,
          tf32.diffSrc());
      assertBound(
          "backwardWeights",
          reference.backwardWeights(src, diff),
          reference.backwardWeights(a, c),
          ROWS,
          tf32.diffWeights());
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void aClosedStreamIsRefused(Device device) {
    Stream stream = Stream.open(device);
    assertEquals(stream, stream.allowTf32(true));
    stream.close();
    assertThrows(IllegalStateException.class, () -> stream.allowTf32(false));
  }

  private static double[] magnitudes(double[] values) {
    return Arrays.stream(values).map(Math::abs).toArray();
  }
}
