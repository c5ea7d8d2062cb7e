// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("unit")
class ImageBatchTest {
  /** What one case asks for: source, crop, result, padding. */
  record Sizes(
      int batch,
      int height,
      int width,
      int channels,
      int cropH,
      int cropW,
      int outH,
      int outW,
      int padding) {}

  private static final Sizes[] SIZES = {
    new Sizes(2, 8, 8, 3, 8, 8, 8, 8, 0),
    new Sizes(3, 28, 28, 1, 28, 28, 32, 32, 0),
    new Sizes(2, 20, 17, 3, 12, 9, 6, 7, 0),
    new Sizes(5, 9, 11, 4, 9, 11, 9, 11, 2),
    new Sizes(4, 6, 6, 2, 8, 8, 5, 9, 1),
    new Sizes(1, 1, 1, 1, 1, 1, 3, 3, 0),
  };

  static List<Arguments> cases() {
    List<Arguments> cases = new ArrayList<>();
    for (Device device : Device.all()) {
      for (DType dtype : Lab.floating()) {
        for (Sizes sizes : SIZES) {
          cases.add(Arguments.of(device, dtype, sizes, false));
          if (sizes.cropH <= sizes.height + 2 * sizes.padding) {
            cases.add(Arguments.of(device, dtype, sizes, true));
          }
        }
      }
    }
    return cases;
  }

  private static final long SEED = 21;
  private static final int STEP = 5;
  private static final int LAYER = 2;

  private static double pixel(byte[] src, Sizes s, int n, long y, long x, int c) {
    if (y < 0 || y >= s.height || x < 0 || x >= s.width) {
      return 0;
    }
    int at = (int) (((n * (long) s.height + y) * s.width + x) * s.channels + c);
    return Byte.toUnsignedInt(src[at]) / 255.0;
  }

  /**
   * Bilinear value at a position of the crop; beyond the crop's last pixel its edge is repeated.
   */
  private static double bilinear(
      byte[] src, Sizes s, int n, long top, long left, double y, double x, int c) {
    double cy = Math.min(Math.max(y, 0), s.cropH - 1);
    double cx = Math.min(Math.max(x, 0), s.cropW - 1);
    long y0 = (long) Math.floor(cy);
    long x0 = (long) Math.floor(cx);
    long y1 = Math.min(y0 + 1, s.cropH - 1);
    long x1 = Math.min(x0 + 1, s.cropW - 1);
    double fy = cy - y0;
    double fx = cx - x0;
    return (1 - fy) * (1 - fx) * pixel(src, s, n, top + y0, left + x0, c)
        + (1 - fy) * fx * pixel(src, s, n, top + y0, left + x1, c)
        + fy * (1 - fx) * pixel(src, s, n, top + y1, left + x0, c)
        + fy * fx * pixel(src, s, n, top + y1, left + x1, c);
  }

  /** A whole number from [-padding, extra+padding], by a Philox word. */
  private static long corner(int word, long extra, long padding) {
    double u = (word >>> 8) * 0x1p-24;
    return (long) Math.floor(u * (extra + 2 * padding + 1)) - padding;
  }

  @ParameterizedTest
  @MethodSource("cases")
  void imagesAreCroppedResampledAndNormalised(Device device, DType dtype, Sizes s, boolean random) {
    byte[] src = new byte[s.batch * s.height * s.width * s.channels];
    new Random(1).nextBytes(src);
    float[] mean = {0.5f, 0.4f, 0.3f, 0.2f};
    float[] std = {0.2f, 0.3f, 0.25f, 0.5f};
    mean = java.util.Arrays.copyOf(mean, s.channels);
    std = java.util.Arrays.copyOf(std, s.channels);
    ImageBatch.Builder builder =
        ImageBatch.builder(s.batch, s.height, s.width, s.channels)
            .crop(s.cropH, s.cropW)
            .size(s.outH, s.outW)
            .normalise(mean, std)
            .layer(LAYER)
            .dtype(dtype);
    if (random) {
      builder.randomCrop(s.padding).randomFlip();
    }
    double[] expected = new double[s.batch * s.outH * s.outW * s.channels];
    int at = 0;
    for (int n = 0; n < s.batch; n++) {
      int[] words = PhiloxReference.words(SEED, n, 0, STEP, LAYER);
      long top = Math.floorDiv((long) s.height - s.cropH, 2);
      long left = Math.floorDiv((long) s.width - s.cropW, 2);
      boolean flip = random && (words[2] >>> 8) * 0x1p-24 < 0.5;
      if (random) {
        top = corner(words[0], s.height - s.cropH, s.padding);
        left = corner(words[1], s.width - s.cropW, s.padding);
      }
      for (int p = 0; p < s.outH; p++) {
        for (int q = 0; q < s.outW; q++) {
          double y = (p + 0.5) * s.cropH / s.outH - 0.5;
          double x = ((flip ? s.outW - 1 - q : q) + 0.5) * s.cropW / s.outW - 0.5;
          for (int c = 0; c < s.channels; c++, at++) {
            expected[at] = (bilinear(src, s, n, top, left, y, x, c) - mean[c]) / std[c];
          }
        }
      }
    }
    try (Lab lab = new Lab(device);
        StepState step = new StepState(lab.stream)) {
      step.random(lab.stream, SEED, STEP);
      Tensor srcTensor = lab.in(src, s.batch, s.height, s.width, s.channels);
      Tensor dst = lab.out(dtype, s.batch, s.outH, s.outW, s.channels);
      builder.build().forward(lab.stream, random ? step : null, srcTensor, dst);
      double[] actual = lab.read(dst);
      double relative = dtype == DType.F32 ? 0 : dtype == DType.F16 ? 0x1p-10 : 0x1p-8;
      for (int i = 0; i < expected.length; i++) {
        assertEquals(
            expected[i], actual[i], 1e-5 + relative * Math.abs(expected[i]), "element " + i);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void halfOfTheImagesAreFlipped(Device device) {
    int batch = 1000;
    byte[] src = new byte[batch * 2];
    for (int i = 0; i < batch; i++) {
      src[2 * i] = (byte) 255;
    }
    try (Lab lab = new Lab(device);
        StepState step = new StepState(lab.stream)) {
      step.random(lab.stream, 1, 0);
      Tensor dst = lab.out(DType.F32, batch, 1, 2, 1);
      ImageBatch.builder(batch, 1, 2, 1)
          .randomFlip()
          .build()
          .forward(lab.stream, step, lab.in(src, batch, 1, 2, 1), dst);
      double[] values = lab.read(dst);
      int flipped = 0;
      for (int n = 0; n < batch; n++) {
        assertEquals(1, values[2 * n] + values[2 * n + 1], 1e-6);
        flipped += values[2 * n] < 0.5 ? 1 : 0;
      }
      assertTrue(Math.abs(flipped - 500) < 80, flipped + " of 1000 were flipped");
    }
  }

  @Tag("fuzz")
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void randomSizes(Device device, DType dtype) {
    Fuzz.run(
        getClass(),
        device,
        random -> {
          int height = 1 + random.nextInt(30);
          int width = 1 + random.nextInt(30);
          Sizes sizes =
              new Sizes(
                  1 + random.nextInt(5),
                  height,
                  width,
                  1 + random.nextInt(4),
                  1 + random.nextInt(height),
                  1 + random.nextInt(width),
                  1 + random.nextInt(30),
                  1 + random.nextInt(30),
                  random.nextInt(4));
          imagesAreCroppedResampledAndNormalised(device, dtype, sizes, random.nextBoolean());
        });
  }
}
