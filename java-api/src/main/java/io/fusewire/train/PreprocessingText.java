// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.model.Interpolation;
import io.fusewire.model.Preprocessing;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;

/** Writes a {@link Preprocessing} to the string metadata of a file and reads it back. */
final class PreprocessingText {
  private PreprocessingText() {}

  static void encode(Preprocessing how, BiConsumer<String, String> target) {
    target.accept("image_height", Integer.toString(how.height()));
    target.accept("image_width", Integer.toString(how.width()));
    target.accept("image_window", Integer.toString(how.window()));
    target.accept("whole_image", Boolean.toString(how.wholeImage()));
    target.accept("interpolation", how.interpolation().toString());
    target.accept("crop_fraction", Double.toString(how.cropFraction()));
    target.accept("mean", join(how.mean()));
    target.accept("std", join(how.std()));
  }

  /**
   * Reads a preprocessing; files older than filter and crop fraction have the usual ones.
   *
   * @throws IllegalArgumentException if something is missing or impossible
   */
  static Preprocessing decode(Map<String, String> metadata) {
    return new Preprocessing(
        Integer.parseInt(required(metadata, "image_height")),
        Integer.parseInt(required(metadata, "image_width")),
        Integer.parseInt(required(metadata, "image_window")),
        Boolean.parseBoolean(required(metadata, "whole_image")),
        Interpolation.byName(metadata.getOrDefault("interpolation", "bilinear")),
        Double.parseDouble(
            metadata.getOrDefault(
                "crop_fraction", Double.toString(Preprocessing.USUAL_CROP_FRACTION))),
        floats(required(metadata, "mean")),
        floats(required(metadata, "std")));
  }

  private static String required(Map<String, String> metadata, String key) {
    String value = metadata.get(key);
    if (value == null) {
      throw new IllegalArgumentException("'" + key + "' is missing");
    }
    return value;
  }

  private static List<Float> floats(String text) {
    List<Float> values = new ArrayList<>();
    for (String part : text.split(",", -1)) {
      values.add(Float.parseFloat(part));
    }
    return values;
  }

  private static String join(List<Float> values) {
    return String.join(",", values.stream().map(String::valueOf).toList());
  }
}
