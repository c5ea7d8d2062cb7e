// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

/**
 * Compound scaling of width and depth (arXiv 1905.11946, section 3.3; rounding as in the official
 * implementation).
 *
 * @param width factor on every channel count, above 0
 * @param depth factor on every stage's repeats, above 0
 */
public record Scaling(double width, double depth) {
  private static final int DIVISOR = 8;

  /**
   * Refuses factors that are not positive numbers.
   *
   * @param width factor on every channel count, above 0
   * @param depth factor on every stage's repeats, above 0
   */
  public Scaling {
    if (!(width > 0 && width <= 16 && depth > 0 && depth <= 16)) {
      throw new IllegalArgumentException(
          "width and depth factors are above 0 and at most 16, not " + width + " and " + depth);
    }
  }

  /**
   * Scales a channel count and rounds it to a multiple of 8, never losing more than a tenth.
   *
   * @param channels channels of the unscaled network
   * @return channels of the scaled one
   */
  public int channels(int channels) {
    if (width == 1.0) {
      return channels;
    }
    double scaled = channels * width;
    int rounded = Math.max(DIVISOR, (int) (scaled + DIVISOR / 2.0) / DIVISOR * DIVISOR);
    return rounded < 0.9 * scaled ? rounded + DIVISOR : rounded;
  }

  /**
   * Scales a number of repeats, rounding up.
   *
   * @param repeats repeats of the unscaled stage
   * @return repeats of the scaled one
   */
  public int repeats(int repeats) {
    return depth == 1.0 ? repeats : (int) Math.ceil(repeats * depth);
  }
}
