// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("unit")
class MeanPoolTest {
  static List<Arguments> cases() {
    List<Arguments> cases = new ArrayList<>();
    for (Device device : Device.all()) {
      for (DType dtype : Lab.floating()) {
        for (int[] size :
            new int[][] {{1, 1, 1}, {2, 49, 1280}, {3, 16, 33}, {1, 1024, 7}, {5, 64, 64}}) {
          cases.add(Arguments.of(device, dtype, size[0], size[1], size[2]));
        }
      }
    }
    return cases;
  }

  @ParameterizedTest
  @MethodSource("cases")
  void meansAndGradients(Device device, DType dtype, int batch, int pixels, int channels) {
    Random random = new Random(4);
    boolean exact = Integer.bitCount(pixels) == 1;
    long count = (long) batch * pixels * channels;
    double[] src = exact ? Numbers.integers(random, count, 8) : Numbers.reals(random, dtype, count);
    double[] diffDst = Numbers.reals(random, DType.F32, (long) batch * channels);
    double[] expected = new double[batch * channels];
    double[] expectedDiff = new double[src.length];
    for (int i = 0; i < src.length; i++) {
      int at = i / (pixels * channels) * channels + i % channels;
      expected[at] += src[i] / pixels;
      expectedDiff[i] = diffDst[at] / pixels;
    }
    MeanPool op = new MeanPool(batch, pixels, channels, dtype);
    try (Lab lab = new Lab(device)) {
      Tensor workspace = lab.workspace(op.workspaceBytes(lab.stream));
      Tensor srcTensor = lab.in(dtype, src, batch, pixels, channels);
      Tensor dst = lab.out(DType.F32, batch, channels);
      op.forward(lab.stream, srcTensor, dst, workspace);
      double[] result = lab.read(dst);
      if (exact) {
        assertArrayEquals(expected, result);
      } else {
        Numbers.assertForward("mean", DType.F32, expected, result);
      }
      lab.stream.threads(1).order(3);
      op.forward(lab.stream, srcTensor, dst, workspace);
      assertArrayEquals(result, lab.read(dst), "one thread");
      Tensor diffSrc = lab.out(dtype, batch, pixels, channels);
      op.backward(lab.stream, lab.in(DType.F32, diffDst, batch, channels), diffSrc);
      Numbers.assertBackward("diffSrc", dtype, expectedDiff, lab.read(diffSrc));
    }
  }

  @Tag("fuzz")
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void randomSizes(Device device, DType dtype) {
    Fuzz.run(
        getClass(),
        device,
        random ->
            meansAndGradients(
                device,
                dtype,
                1 + random.nextInt(5),
                1 + random.nextInt(200),
                1 + random.nextInt(150)));
  }
}
