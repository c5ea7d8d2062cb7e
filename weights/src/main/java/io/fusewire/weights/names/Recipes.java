// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.model.Preprocessing;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;

/** The table of all models whose meaning is known. */
final class Recipes {
  private static final String TABLE = "recipes.txt";
  private static final List<Recipe> ALL = read();

  private Recipes() {}

  private static List<Recipe> read() {
    try (InputStream stream = Recipes.class.getResourceAsStream(TABLE);
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
      return lines.lines().filter(line -> !line.startsWith("#")).map(Recipe::parse).toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** All of them, in the table's order. */
  static List<Recipe> all() {
    return ALL;
  }

  /** What is done to photographs where nothing is known: as most do it at a resolution. */
  static Preprocessing usual(int resolution) {
    return ALL.get(0).preprocessing().at(resolution);
  }

  /** A library's models of one architecture; the first is the one to take if nothing is known. */
  static List<Recipe> of(Library library, String network) {
    return ALL.stream().filter(r -> r.library() == library && r.network().equals(network)).toList();
  }

  /** A library's model, or the one without the tag if that tag means nothing else. */
  static Optional<Recipe> find(Library library, String model) {
    int dot = model.indexOf('.');
    String family = dot < 0 ? model : model.substring(0, dot);
    return exact(library, model).or(() -> exact(library, family));
  }

  private static Optional<Recipe> exact(Library library, String model) {
    return ALL.stream()
        .filter(r -> r.library() == library && r.model().equalsIgnoreCase(model))
        .findFirst();
  }
}
