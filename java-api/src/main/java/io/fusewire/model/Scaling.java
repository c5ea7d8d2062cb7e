// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

/**
 * Compound scaling of width and depth (arXiv 1905.11946, section 3.3; rounding as in the official
 * implementations).
 *
 * @param width factor on every channel count, above 0
 * @param depth factor on every stage's repeats, above 0
 * @param roundLimit share of the scaled channels that rounding to a multiple of 8 must leave, 0 to
 *     1; the next multiple is taken where it would leave less
 */
public record Scaling(double width, double depth, double roundLimit) {
  private static final int DIVISOR = 8;

  /** Of EfficientNet and EfficientNet-Lite; EfficientNetV2 has 0. */
  private static final double ROUND_LIMIT = 0.9;

  /**
   * Refuses factors that are not positive numbers.
   *
   * @param width factor on every channel count, above 0
   * @param depth factor on every stage's repeats, above 0
   * @param roundLimit share of the scaled channels that rounding must leave, 0 to 1
   */
  public Scaling {
    if (!(width > 0 && width <= 16 && depth > 0 && depth <= 16)) {
      throw new IllegalArgumentException(
          "width and depth factors are above 0 and at most 16, not " + width + " and " + depth);
    }
    if (!(roundLimit >= 0 && roundLimit <= 1)) {
      throw new IllegalArgumentException("a rounding limit lies from 0 to 1, not at " + roundLimit);
    }
  }

  /**
   * The scaling of the first EfficientNets, whose rounding never loses more than a tenth.
   *
   * @param width factor on every channel count, above 0
   * @param depth factor on every stage's repeats, above 0
   */
  public Scaling(double width, double depth) {
    this(width, depth, ROUND_LIMIT);
  }

  /**
   * Scales a channel count and rounds it to a multiple of 8.
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
    return rounded < roundLimit * scaled ? rounded + DIVISOR : rounded;
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
