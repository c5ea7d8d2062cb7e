// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import java.util.List;

/**
 * What is done to an image before the network sees it: it becomes {@code height} x {@code width}
 * uint8, resampled whole or as torchvision's Resize and CenterCrop do it; a centred square window
 * of that, black where it reaches beyond, is resampled to the network's resolution; then (value/255
 * - mean) / std per channel.
 *
 * @param height height after resampling and cropping, in pixels
 * @param width width after resampling and cropping, in pixels
 * @param window side of the window, in pixels
 * @param wholeImage whether the whole image is resampled; else its shorter side is to {@link
 *     #shorterSide()}, and the middle cropped
 * @param interpolation how images are resampled
 * @param cropFraction share of the resampled image's shorter side that the crop takes, timm's
 *     crop_pct; of no effect if {@code wholeImage}
 * @param mean per channel, of values from 0 to 1
 * @param std per channel, of values from 0 to 1
 */
public record Preprocessing(
    int height,
    int width,
    int window,
    boolean wholeImage,
    Interpolation interpolation,
    double cropFraction,
    List<Float> mean,
    List<Float> std) {
  /** The crop fraction that is usual where nobody says another: 224 of 256 pixels. */
  public static final double USUAL_CROP_FRACTION = 0.875;

  /** What a crop fraction may be short of by being rounded, such as 240.0 / 255. */
  private static final double ROUNDING = 1e-6;

  /**
   * Copies the lists and refuses what cannot be.
   *
   * @param height height after resampling and cropping, in pixels
   * @param width width after resampling and cropping, in pixels
   * @param window side of the window, in pixels
   * @param wholeImage whether the whole image is resampled; else its shorter side is to {@link
   *     #shorterSide()}, and the middle cropped
   * @param interpolation how images are resampled
   * @param cropFraction share of the resampled image's shorter side that the crop takes, timm's
   *     crop_pct; of no effect if {@code wholeImage}
   * @param mean per channel, of values from 0 to 1
   * @param std per channel, of values from 0 to 1
   */
  public Preprocessing {
    mean = List.copyOf(mean);
    std = List.copyOf(std);
    if (height < 1 || width < 1 || height > 8192 || width > 8192) {
      throw new IllegalArgumentException(
          "images of %dx%d pixels, where 1 to 8192 are allowed".formatted(height, width));
    }
    if (!wholeImage && height != width) {
      throw new IllegalArgumentException(
          "a centre crop of %dx%d pixels, where it is to be a square".formatted(height, width));
    }
    if (window < 1 || window > 8192) {
      throw new IllegalArgumentException(
          "a window of %d pixels, where 1 to 8192 are allowed".formatted(window));
    }
    if (!(cropFraction >= 0.1 && cropFraction <= 1)) {
      throw new IllegalArgumentException(
          "a crop fraction of %s, where 0.1 to 1 are allowed".formatted(cropFraction));
    }
    if (mean.isEmpty() || mean.size() > 4 || mean.size() != std.size()) {
      throw new IllegalArgumentException(
          "mean %s and standard deviation %s need one number for each of 1 to 4 channels"
              .formatted(mean, std));
    }
    for (int c = 0; c < mean.size(); c++) {
      if (!Float.isFinite(mean.get(c)) || !(std.get(c) > 0) || !Float.isFinite(std.get(c))) {
        throw new IllegalArgumentException(
            "mean %s and standard deviation %s are not finite, or not above 0"
                .formatted(mean, std));
      }
    }
  }

  /**
   * Preprocessing of photographs for a network that takes squares.
   *
   * @param resolution height and width of the network's input, in pixels
   * @param interpolation how images are resampled
   * @param cropFraction share of the resampled image's shorter side that the crop takes
   * @param mean per channel, of values from 0 to 1
   * @param std per channel, of values from 0 to 1
   * @return resampled, the middle cropped
   */
  public static Preprocessing ofPhotographs(
      int resolution,
      Interpolation interpolation,
      double cropFraction,
      List<Float> mean,
      List<Float> std) {
    return new Preprocessing(
        resolution, resolution, resolution, false, interpolation, cropFraction, mean, std);
  }

  /**
   * To how many pixels the shorter side of an image is resampled before the middle is cropped.
   *
   * @return timm's floor(height / crop fraction)
   */
  public int shorterSide() {
    return (int) Math.floor(height / cropFraction + ROUNDING);
  }

  /**
   * The same for another resolution, of images that are cropped.
   *
   * @param resolution height and width of the network's input, in pixels
   * @return the same filter, crop fraction, mean and standard deviation
   */
  public Preprocessing at(int resolution) {
    return ofPhotographs(resolution, interpolation, cropFraction, mean, std);
  }

  /**
   * The same pixels, normalised otherwise.
   *
   * @param other whose mean and standard deviation to take; of as many channels
   * @return the same but for them
   */
  public Preprocessing normalisedAs(Preprocessing other) {
    return new Preprocessing(
        height, width, window, wholeImage, interpolation, cropFraction, other.mean(), other.std());
  }
}
