// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import io.fusewire.data.ImageDecoder.Window;
import io.fusewire.data.Resampler.Part;
import io.fusewire.model.Interpolation;
import io.fusewire.model.Preprocessing;
import java.awt.image.BufferedImage;

/**
 * How pictures of any size become squares of one size.
 *
 * @param resolution height and width of the squares, in pixels
 * @param shorterSide to how many pixels a picture's shorter side is resampled before the middle is
 *     cropped; at least {@code resolution}
 * @param interpolation how they are resampled
 */
public record Framing(int resolution, int shorterSide, Interpolation interpolation) {

  /**
   * Refuses what cannot be.
   *
   * @param resolution height and width of the squares, in pixels
   * @param shorterSide to how many pixels a picture's shorter side is resampled before the middle
   *     is cropped; at least {@code resolution}
   * @param interpolation how they are resampled
   */
  public Framing {
    if (resolution < 1 || shorterSide < resolution) {
      throw new IllegalArgumentException(
          "squares of %d pixels cannot be cropped from %d".formatted(resolution, shorterSide));
    }
  }

  /**
   * The usual framing: bilinear, 7/8 of the shorter side.
   *
   * @param resolution height and width of the squares, in pixels
   * @return a framing
   */
  public static Framing usual(int resolution) {
    return new Framing(
        resolution, (int) (resolution / Preprocessing.USUAL_CROP_FRACTION), Interpolation.BILINEAR);
  }

  /** The whole of an image. */
  static Window whole(BufferedImage image) {
    return new Window(0, 0, image.getWidth(), image.getHeight());
  }

  /**
   * The middle of an image, as torchvision's Resize and CenterCrop leave it, their rounding
   * included: the longer side down, the crop's corner to the nearest pixel, halves to even.
   */
  BufferedImage centre(BufferedImage image) {
    int shorter = Math.min(image.getWidth(), image.getHeight());
    long longer = (long) shorterSide * Math.max(image.getWidth(), image.getHeight()) / shorter;
    boolean wide = image.getWidth() > image.getHeight();
    long width = wide ? longer : shorterSide;
    long height = wide ? shorterSide : longer;
    Part part = new Part(width, height, corner(width), corner(height), resolution, resolution);
    return Resampler.resample(image, whole(image), part, interpolation);
  }

  private long corner(long extent) {
    return (long) Math.rint((extent - resolution) / 2.0);
  }

  /** A window of an image, resampled to fill the square. */
  BufferedImage fill(BufferedImage image, Window window) {
    return Resampler.resample(image, window, Part.whole(resolution, resolution), interpolation);
  }
}
