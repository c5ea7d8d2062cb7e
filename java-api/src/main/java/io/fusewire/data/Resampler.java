// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import io.fusewire.data.ImageDecoder.Window;
import io.fusewire.model.Interpolation;
import java.awt.image.BufferedImage;
import java.awt.image.DataBufferInt;

/**
 * Resamples images as Pillow does, to the bit, so that a network sees the pixels it was trained on:
 * the filter is widened by the factor by which the image shrinks (which is what antialiasing means
 * there), rows come before columns, each pass rounds to 8 bits, and weights are whole numbers of
 * 2^-22. Java2D does not widen; TwelveMonkeys' ResampleOp lies half a pixel beside it and was
 * measured to be up to 119 grey levels off.
 */
final class Resampler {
  private static final int FRACTION_BITS = 22;
  private static final int HALF = 1 << (FRACTION_BITS - 1);

  private Resampler() {}

  /**
   * Part of a result: a rectangle of it, and its whole size, which may be far too large to store.
   */
  record Part(long fullWidth, long fullHeight, long x, long y, int width, int height) {
    /** All of it. */
    static Part whole(int width, int height) {
      return new Part(width, height, 0, 0, width, height);
    }
  }

  /** Which source pixels make a result's, along one axis, and with what weights. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Taps(int[] first, int[] count, int[][] weights) {

    /**
     * Results {@code from} to {@code from + size - 1} of {@code full}, made of {@code extent}
     * source pixels that begin at {@code origin}.
     */
    static Taps of(int origin, int extent, long full, long from, int size, Interpolation filter) {
      Taps taps = new Taps(new int[size], new int[size], new int[size][]);
      double scale = (double) extent / full;
      double widening = Math.max(scale, 1);
      double support = filter.support() * widening;
      for (int i = 0; i < size; i++) {
        double centre = (from + i + 0.5) * scale;
        int low = Math.max(0, (int) (centre - support + 0.5));
        int high = Math.min(extent, (int) (centre + support + 0.5));
        double[] exact = new double[high - low];
        double sum = 0;
        for (int t = 0; t < exact.length; t++) {
          exact[t] = filter.weight((low + t - centre + 0.5) / widening);
          sum += exact[t];
        }
        taps.first[i] = origin + low;
        taps.count[i] = exact.length;
        taps.weights[i] = new int[exact.length];
        for (int t = 0; t < exact.length; t++) {
          double weight = exact[t] / sum * (1 << FRACTION_BITS);
          taps.weights[i][t] = (int) (weight < 0 ? weight - 0.5 : weight + 0.5);
        }
      }
      return taps;
    }

    /** One past the last source pixel that anything is made of. */
    int end() {
      int last = first.length - 1;
      return first[last] + count[last];
    }
  }

  /**
   * Resamples a window of an image and delivers part of the result; only what that needs is
   * computed.
   *
   * @param image of type {@link BufferedImage#TYPE_INT_RGB}, not part of another image
   * @param window what is resampled; nothing beyond it counts
   * @param part which part of the result to deliver
   * @param filter how
   * @return the part, of the same type
   */
  static BufferedImage resample(
      BufferedImage image, Window window, Part part, Interpolation filter) {
    Taps across =
        Taps.of(window.x(), window.width(), part.fullWidth(), part.x(), part.width(), filter);
    Taps down =
        Taps.of(window.y(), window.height(), part.fullHeight(), part.y(), part.height(), filter);
    int[] source = pixels(image);
    int top = down.first[0];
    int[] rows = new int[Math.multiplyExact(down.end() - top, part.width())];
    for (int y = top; y < down.end(); y++) {
      int at = (y - top) * part.width();
      for (int x = 0; x < part.width(); x++) {
        rows[at + x] =
            weigh(
                source,
                y * image.getWidth() + across.first[x],
                1,
                across.count[x],
                across.weights[x]);
      }
    }
    BufferedImage result =
        new BufferedImage(part.width(), part.height(), BufferedImage.TYPE_INT_RGB);
    int[] target = pixels(result);
    for (int y = 0; y < part.height(); y++) {
      int from = (down.first[y] - top) * part.width();
      for (int x = 0; x < part.width(); x++) {
        target[y * part.width() + x] =
            weigh(rows, from + x, part.width(), down.count[y], down.weights[y]);
      }
    }
    return result;
  }

  private static int[] pixels(BufferedImage image) {
    return ((DataBufferInt) image.getRaster().getDataBuffer()).getData();
  }

  private static int weigh(int[] pixels, int first, int step, int count, int[] weights) {
    int red = HALF;
    int green = HALF;
    int blue = HALF;
    int at = first;
    for (int t = 0; t < count; t++) {
      int pixel = pixels[at];
      int weight = weights[t];
      red += (pixel >> 16 & 0xFF) * weight;
      green += (pixel >> 8 & 0xFF) * weight;
      blue += (pixel & 0xFF) * weight;
      at += step;
    }
    return level(red) << 16 | level(green) << 8 | level(blue);
  }

  private static int level(int sum) {
    return Math.max(0, Math.min(255, sum >> FRACTION_BITS));
  }
}
