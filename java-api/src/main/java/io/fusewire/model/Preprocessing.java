// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import java.util.List;

/**
 * What is done to an image before the network sees it: resampled to {@code height} x {@code width}
 * uint8; a centred square window of it, black where it reaches beyond, resampled to the network's
 * resolution; then (value/255 - mean) / std per channel.
 *
 * @param height height after resampling, in pixels
 * @param width width after resampling, in pixels
 * @param window side of the window, in pixels
 * @param wholeImage whether the whole image is resampled, or the middle 7/8 of its shorter side
 * @param mean per channel, of values from 0 to 1
 * @param std per channel, of values from 0 to 1
 */
public record Preprocessing(
    int height, int width, int window, boolean wholeImage, List<Float> mean, List<Float> std) {

  /**
   * Copies the lists and refuses what cannot be.
   *
   * @param height height after resampling, in pixels
   * @param width width after resampling, in pixels
   * @param window side of the window, in pixels
   * @param wholeImage whether the whole image is resampled, or the middle 7/8 of its shorter side
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
    if (window < 1 || window > 8192) {
      throw new IllegalArgumentException(
          "a window of %d pixels, where 1 to 8192 are allowed".formatted(window));
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
}
