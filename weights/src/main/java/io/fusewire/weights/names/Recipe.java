// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.model.Interpolation;
import io.fusewire.model.Padding;
import io.fusewire.model.Preprocessing;
import java.util.List;
import java.util.Locale;

/**
 * What a library's model means beyond its tensors.
 *
 * @param library whose
 * @param model the library's name of it, perhaps with a tag after a dot
 * @param network Fusewire's name of the architecture
 * @param padding how convolutions pad
 * @param epsilon of every BatchNorm
 * @param momentum of every BatchNorm, in PyTorch's sense
 * @param preprocessing what the library does to a photograph
 */
record Recipe(
    Library library,
    String model,
    String network,
    Padding padding,
    double epsilon,
    double momentum,
    Preprocessing preprocessing) {
  private static final int COLUMNS = 10;
  private static final String WHOLE = "whole";

  /** Reads one line of the table. */
  static Recipe parse(String line) {
    String[] column = line.split(" ", -1);
    if (column.length != COLUMNS) {
      throw new IllegalArgumentException("a recipe has " + COLUMNS + " columns, not: " + line);
    }
    return new Recipe(
        Library.byId(column[0]),
        column[1],
        column[2],
        Padding.valueOf(column[3].toUpperCase(Locale.ROOT)),
        Double.parseDouble(column[4]),
        Double.parseDouble(column[5]),
        preprocessing(
            Integer.parseInt(column[6]), column[7], Interpolation.byName(column[8]), column[9]));
  }

  private static Preprocessing preprocessing(
      int resolution, String crop, Interpolation interpolation, String colours) {
    List<Float> mean = mean(colours);
    List<Float> std = std(colours);
    if (!crop.startsWith(WHOLE)) {
      return Preprocessing.ofPhotographs(resolution, interpolation, fraction(crop), mean, std);
    }
    int size = resolution;
    if (crop.length() > WHOLE.length()) {
      size = (int) Math.floor(resolution / fraction(crop.substring(WHOLE.length() + 1)));
    }
    return new Preprocessing(
        size, size, resolution, true, interpolation, Preprocessing.USUAL_CROP_FRACTION, mean, std);
  }

  private static double fraction(String text) {
    String[] parts = text.split("/", -1);
    return parts.length == 1
        ? Double.parseDouble(text)
        : Double.parseDouble(parts[0]) / Double.parseDouble(parts[1]);
  }

  private static List<Float> mean(String colours) {
    return switch (colours) {
      case "imagenet" -> List.of(0.485f, 0.456f, 0.406f);
      case "half" -> List.of(0.5f, 0.5f, 0.5f);
      default -> grey(colours.split("/", -1)[0]);
    };
  }

  private static List<Float> std(String colours) {
    return switch (colours) {
      case "imagenet" -> List.of(0.229f, 0.224f, 0.225f);
      case "half" -> List.of(0.5f, 0.5f, 0.5f);
      default -> grey(colours.split("/", -1)[1]);
    };
  }

  private static List<Float> grey(String level) {
    float value = Float.parseFloat(level) / 255f;
    return List.of(value, value, value);
  }

  /** The model's name without its tag. */
  String family() {
    int dot = model.indexOf('.');
    return dot < 0 ? model : model.substring(0, dot);
  }

  /** How well a file's or folder's name, in lower case, names this model: characters of it. */
  int namedBy(String text) {
    String written = model.toLowerCase(Locale.ROOT);
    int best = 0;
    for (String alias :
        List.of(
            written, written.replace('.', '_'), written.replace('.', '_').replace("_in1k", ""))) {
      if (occurs(text, alias)) {
        best = Math.max(best, alias.length());
      }
    }
    return best;
  }

  /**
   * Whether a word stands in a text, not as a part of a longer one with other digits or letters.
   */
  private static boolean occurs(String text, String word) {
    for (int at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
      int end = at + word.length();
      if ((at == 0 || !Character.isLetterOrDigit(text.charAt(at - 1)))
          && (end == text.length() || !Character.isLetterOrDigit(text.charAt(end)))) {
        return true;
      }
    }
    return false;
  }

  /** Whether another recipe computes the same from the same tensors and images. */
  boolean means(Recipe other) {
    return padding == other.padding
        && epsilon == other.epsilon
        && preprocessing.equals(other.preprocessing);
  }

  /** For sentences. */
  String description() {
    return "%s padding, BatchNorm epsilon %s"
        .formatted(
            padding == Padding.SAME ? "TensorFlow's SAME" : "symmetric",
            epsilon == 1e-3 ? "1e-3" : epsilon == 1e-5 ? "1e-5" : Double.toString(epsilon));
  }
}
