// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Who made the weights, as a user says it.
 *
 * @param library the library, if one was named
 * @param recipe its model, if one was named
 */
record Origin(Optional<Library> library, Optional<Recipe> recipe) {
  /**
   * Reads {@code library}, {@code library:model} or {@code model}.
   *
   * @throws IllegalArgumentException if there is no such library or model
   */
  static Origin parse(Optional<String> text) {
    if (text.isEmpty()) {
      return new Origin(Optional.empty(), Optional.empty());
    }
    int colon = text.get().indexOf(':');
    if (colon >= 0) {
      Library library = Library.byId(text.get().substring(0, colon));
      String model = text.get().substring(colon + 1);
      Optional<Recipe> recipe = Recipes.find(library, model);
      if (recipe.isEmpty()) {
        throw new IllegalArgumentException(
            "there is no model '%s' of %s; there are %s"
                .formatted(model, library.title(), models(library)));
      }
      return new Origin(Optional.of(library), recipe);
    }
    List<Recipe> named =
        Recipes.all().stream().filter(r -> r.model().equalsIgnoreCase(text.get())).toList();
    if (named.size() == 1) {
      return new Origin(Optional.of(named.get(0).library()), Optional.of(named.get(0)));
    }
    if (named.size() > 1) {
      throw new IllegalArgumentException(
          "'%s' is a model of more than one library: say %s"
              .formatted(
                  text.get(),
                  named.stream()
                      .map(r -> r.library().id() + ":" + r.model())
                      .collect(Collectors.joining(" or "))));
    }
    return new Origin(Optional.of(Library.byId(text.get())), Optional.empty());
  }

  private static String models(Library library) {
    return Recipes.all().stream()
        .filter(r -> r.library() == library)
        .map(Recipe::family)
        .distinct()
        .collect(Collectors.joining(", "));
  }

  /** The architecture, if a model was named. */
  Optional<String> network() {
    return recipe.map(Recipe::network);
  }
}
