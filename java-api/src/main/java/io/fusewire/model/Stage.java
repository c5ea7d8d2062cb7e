// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import java.util.List;
import java.util.Objects;

/**
 * One row of EfficientNet's block table, before compound scaling.
 *
 * @param kind which blocks it has
 * @param repeats how many blocks; the first has the stride and changes the channels
 * @param kernel kernel of the depthwise or dense convolution, square, in pixels
 * @param stride its stride in the first block, in pixels
 * @param expansion expanded channels over input channels; 1 means there is no expansion
 * @param inChannels input channels
 * @param outChannels output channels
 */
public record Stage(
    Kind kind,
    int repeats,
    int kernel,
    int stride,
    int expansion,
    int inChannels,
    int outChannels) {

  /** Which blocks a stage has. */
  public enum Kind {
    /** {@link io.fusewire.model.MBConv} with squeeze-and-excite. */
    MBCONV,
    /** {@link io.fusewire.model.MBConv} without. */
    PLAIN_MBCONV,
    /** {@link io.fusewire.model.FusedMBConv}. */
    FUSED
  }

  /**
   * The block table of EfficientNet-B0 (arXiv 1905.11946, table 1), from which all others of the
   * first family are scaled.
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

  /** That of EfficientNet-Lite0: B0's without squeeze-and-excite. */
  public static final List<Stage> LITE0 = B0.stream().map(Stage::withoutSqueeze).toList();

  /** That of EfficientNetV2-S (arXiv 2104.00298, table 4). The stem has 24 channels. */
  public static final List<Stage> V2_S =
      List.of(
          new Stage(Kind.FUSED, 2, 3, 1, 1, 24, 24),
          new Stage(Kind.FUSED, 4, 3, 2, 4, 24, 48),
          new Stage(Kind.FUSED, 4, 3, 2, 4, 48, 64),
          new Stage(6, 3, 2, 4, 64, 128),
          new Stage(9, 3, 1, 6, 128, 160),
          new Stage(15, 3, 2, 6, 160, 256));

  /** That of EfficientNetV2-M. The stem has 24 channels. */
  public static final List<Stage> V2_M =
      List.of(
          new Stage(Kind.FUSED, 3, 3, 1, 1, 24, 24),
          new Stage(Kind.FUSED, 5, 3, 2, 4, 24, 48),
          new Stage(Kind.FUSED, 5, 3, 2, 4, 48, 80),
          new Stage(7, 3, 2, 4, 80, 160),
          new Stage(14, 3, 1, 6, 160, 176),
          new Stage(18, 3, 2, 6, 176, 304),
          new Stage(5, 3, 1, 6, 304, 512));

  /** That of EfficientNetV2-L. The stem has 32 channels. */
  public static final List<Stage> V2_L =
      List.of(
          new Stage(Kind.FUSED, 4, 3, 1, 1, 32, 32),
          new Stage(Kind.FUSED, 7, 3, 2, 4, 32, 64),
          new Stage(Kind.FUSED, 7, 3, 2, 4, 64, 96),
          new Stage(10, 3, 2, 4, 96, 192),
          new Stage(19, 3, 1, 6, 192, 224),
          new Stage(25, 3, 2, 6, 224, 384),
          new Stage(7, 3, 1, 6, 384, 640));

  /** That of EfficientNetV2-B0, from which B1 to B3 are scaled. The stem has 32 channels. */
  public static final List<Stage> V2_B0 =
      List.of(
          new Stage(Kind.FUSED, 1, 3, 1, 1, 32, 16),
          new Stage(Kind.FUSED, 2, 3, 2, 4, 16, 32),
          new Stage(Kind.FUSED, 2, 3, 2, 4, 32, 48),
          new Stage(3, 3, 2, 4, 48, 96),
          new Stage(5, 3, 1, 6, 96, 112),
          new Stage(8, 3, 2, 6, 112, 192));

  /**
   * Refuses a row that no network can have.
   *
   * @param kind which blocks it has
   * @param repeats how many blocks; the first has the stride and changes the channels
   * @param kernel kernel of the depthwise or dense convolution, square, in pixels
   * @param stride its stride in the first block, in pixels
   * @param expansion expanded channels over input channels; 1 means there is no expansion
   * @param inChannels input channels
   * @param outChannels output channels
   */
  public Stage {
    Objects.requireNonNull(kind, "kind");
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

  /**
   * A stage of {@link Kind#MBCONV} blocks.
   *
   * @param repeats how many blocks; the first has the stride and changes the channels
   * @param kernel depthwise kernel, square, in pixels
   * @param stride depthwise stride of the first block, in pixels
   * @param expansion expanded channels over input channels; 1 means there is no expansion
   *     convolution
   * @param inChannels input channels
   * @param outChannels output channels
   */
  public Stage(
      int repeats, int kernel, int stride, int expansion, int inChannels, int outChannels) {
    this(Kind.MBCONV, repeats, kernel, stride, expansion, inChannels, outChannels);
  }

  private Stage withoutSqueeze() {
    return new Stage(
        Kind.PLAIN_MBCONV, repeats, kernel, stride, expansion, inChannels, outChannels);
  }

  private static void within(String what, int value, int high) {
    if (value < 1 || value > high) {
      throw new IllegalArgumentException(
          "a stage's %s lies between 1 and %d, not at %d".formatted(what, high, value));
    }
  }
}
