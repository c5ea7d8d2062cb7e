// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import java.util.List;

/**
 * One row of EfficientNet's block table, before compound scaling.
 *
 * @param repeats how many blocks; the first has the stride and changes the channels
 * @param kernel depthwise kernel, square, in pixels
 * @param stride depthwise stride of the first block, in pixels
 * @param expansion expanded channels over input channels; 1 means there is no expansion convolution
 * @param inChannels input channels
 * @param outChannels output channels
 */
public record Stage(
    int repeats, int kernel, int stride, int expansion, int inChannels, int outChannels) {

  /**
   * The block table of EfficientNet-B0 (arXiv 1905.11946, table 1), from which all others are
   * scaled.
   */
  public static final List<Stage> B0 =
      List.of(
          new Stage(1, 3, 1, 1, 32, 16),
          new Stage(2, 3, 2, 6, 16, 24),
          new Stage(2, 5, 2, 6, 24, 40),
          new Stage(3, 3, 2, 6, 40, 80),
          new Stage(3, 5, 1, 6, 80, 112),
          new Stage(4, 5, 2, 6, 112, 192),
          new Stage(1, 3, 1, 6, 192, 320));

  /**
   * Refuses a row that no network can have.
   *
   * @param repeats how many blocks; the first has the stride and changes the channels
   * @param kernel depthwise kernel, square, in pixels
   * @param stride depthwise stride of the first block, in pixels
   * @param expansion expanded channels over input channels; 1 means there is no expansion
   *     convolution
   * @param inChannels input channels
   * @param outChannels output channels
   */
  public Stage {
    within("repeats", repeats, 100);
    within("kernel", kernel, 31);
    within("stride", stride, 8);
    within("expansion", expansion, 32);
    within("input channels", inChannels, 8192);
    within("output channels", outChannels, 8192);
    if (kernel % 2 == 0) {
      throw new IllegalArgumentException("a stage's kernel is odd, not " + kernel);
    }
  }

  private static void within(String what, int value, int high) {
    if (value < 1 || value > high) {
      throw new IllegalArgumentException(
          "a stage's %s lies between 1 and %d, not at %d".formatted(what, high, value));
    }
  }
}
