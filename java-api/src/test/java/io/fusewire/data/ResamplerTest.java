// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.data.ImageDecoder.Window;
import io.fusewire.data.Resampler.Part;
import io.fusewire.model.Interpolation;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class ResamplerTest {

  private static BufferedImage noise(int width, int height, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        image.setRGB(x, y, random.nextInt(1 << 24));
      }
    }
    return image;
  }

  @ParameterizedTest
  @EnumSource
  void aWindowIsWhatTorchvisionMakesOfIt(Interpolation filter) throws IOException {
    BufferedImage cat = ImageDecoder.decode(Photographs.file("cat.png"));
    BufferedImage ours =
        Resampler.resample(cat, new Window(51, 37, 77, 140), Part.whole(48, 48), filter);
    byte[] golden =
        Photographs.bytes(
            ImageDecoder.decode(Photographs.file("cat-window-48-" + filter + ".png")));
    assertArrayEquals(golden, Photographs.bytes(ours));
  }

  /** In doubles, both passes at once: what the rounding between them leaves is a level at most. */
  @ParameterizedTest
  @EnumSource
  void manySizesAgreeWithTheFormulaInDoubles(Interpolation filter) {
    SplittableRandom random = new SplittableRandom(3);
    for (int round = 0; round < 40; round++) {
      int width = 1 + random.nextInt(40);
      int height = 1 + random.nextInt(40);
      int toWidth = 1 + random.nextInt(60);
      int toHeight = 1 + random.nextInt(60);
      BufferedImage image = noise(width, height, round);
      BufferedImage result =
          Resampler.resample(
              image, new Window(0, 0, width, height), Part.whole(toWidth, toHeight), filter);
      for (int y = 0; y < toHeight; y++) {
        double[] down = weights(height, toHeight, y, filter);
        for (int x = 0; x < toWidth; x++) {
          double[] across = weights(width, toWidth, x, filter);
          for (int shift = 0; shift <= 16; shift += 8) {
            double sum = 0;
            for (int v = 0; v < height; v++) {
              double row = 0;
              for (int u = 0; u < width; u++) {
                row += across[u] * (image.getRGB(u, v) >> shift & 0xFF);
              }
              sum += down[v] * Math.max(0, Math.min(255, row));
            }
            double expected = Math.max(0, Math.min(255, sum));
            int level = result.getRGB(x, y) >> shift & 0xFF;
            assertTrue(
                Math.abs(level - expected) <= 1.3,
                "%dx%d to %dx%d at %d,%d: %d for %s"
                    .formatted(width, height, toWidth, toHeight, x, y, level, expected));
          }
        }
      }
    }
  }

  private static double[] weights(int from, int to, int index, Interpolation filter) {
    double scale = (double) from / to;
    double widening = Math.max(1, scale);
    double[] weights = new double[from];
    double sum = 0;
    for (int i = 0; i < from; i++) {
      weights[i] = filter.weight((i + 0.5 - (index + 0.5) * scale) / widening);
      sum += weights[i];
    }
    for (int i = 0; i < from; i++) {
      weights[i] /= sum;
    }
    return weights;
  }

  @ParameterizedTest
  @EnumSource
  void aPartIsThatPartOfTheWhole(Interpolation filter) {
    BufferedImage image = noise(31, 23, 1);
    Window all = new Window(0, 0, 31, 23);
    BufferedImage whole = Resampler.resample(image, all, Part.whole(50, 17), filter);
    BufferedImage part = Resampler.resample(image, all, new Part(50, 17, 9, 4, 21, 11), filter);
    BufferedImage expected = new BufferedImage(21, 11, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < 11; y++) {
      for (int x = 0; x < 21; x++) {
        expected.setRGB(x, y, whole.getRGB(9 + x, 4 + y));
      }
    }
    assertArrayEquals(Photographs.bytes(expected), Photographs.bytes(part));
  }

  @ParameterizedTest
  @EnumSource
  void nothingBeyondAWindowCounts(Interpolation filter) {
    BufferedImage image = new BufferedImage(20, 20, BufferedImage.TYPE_INT_RGB);
    for (int y = 5; y < 12; y++) {
      for (int x = 3; x < 17; x++) {
        image.setRGB(x, y, 0xFFFFFF);
      }
    }
    BufferedImage result =
        Resampler.resample(image, new Window(3, 5, 14, 7), Part.whole(5, 30), filter);
    for (byte level : Photographs.bytes(result)) {
      assertEquals(-1, level);
    }
  }

  @Test
  void theSameSizeIsTheSameImage() {
    BufferedImage image = noise(13, 9, 2);
    for (Interpolation filter : Interpolation.values()) {
      assertArrayEquals(
          Photographs.bytes(image),
          Photographs.bytes(
              Resampler.resample(image, new Window(0, 0, 13, 9), Part.whole(13, 9), filter)));
    }
  }
}
