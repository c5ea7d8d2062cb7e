// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The one of all matches that is taken, and what it means.
 *
 * @param match the match
 * @param recipe what it means; empty if nothing is known of that library's network
 * @param remarks what a user should know of how it was chosen
 */
record Choice(Match match, Optional<Recipe> recipe, List<String> remarks) {
  private record Candidate(Match match, Optional<Recipe> recipe) {
    boolean is(Recipe other) {
      return recipe.filter(other::equals).isPresent();
    }

    int namedBy(String text) {
      return recipe.map(r -> r.namedBy(text) + (text.contains(r.library().id()) ? 1 : 0)).orElse(0);
    }
  }

  /** Chooses by what the user says, else by what the surroundings say, else the most usual. */
  static Choice of(List<Match> matches, Origin origin, Hints hints) {
    List<Candidate> candidates = new ArrayList<>();
    for (Match match : matches) {
      List<Recipe> recipes = Recipes.of(match.library(), match.network());
      recipes.forEach(r -> candidates.add(new Candidate(match, Optional.of(r))));
      if (recipes.isEmpty()) {
        candidates.add(new Candidate(match, Optional.empty()));
      }
    }
    if (origin.recipe().isPresent()) {
      Recipe recipe = origin.recipe().get();
      return candidates.stream()
          .filter(c -> c.is(recipe))
          .findFirst()
          .map(c -> chosen(c, List.of()))
          .orElseThrow();
    }
    for (Hints.Text hint : hints.texts()) {
      Candidate best = candidates.get(0);
      for (Candidate candidate : candidates) {
        if (candidate.namedBy(hint.value()) > best.namedBy(hint.value())) {
          best = candidate;
        }
      }
      if (best.recipe().isPresent() && best.recipe().get().namedBy(hint.value()) > 0) {
        return chosen(
            best,
            candidates.size() == 1
                ? List.of()
                : List.of(
                    "taken for %s's %s by %s"
                        .formatted(
                            best.match().library().title(),
                            best.recipe().get().model(),
                            hint.where())));
      }
    }
    return chosen(candidates.get(0), doubts(candidates));
  }

  private static Choice chosen(Candidate candidate, List<String> remarks) {
    List<String> all = new ArrayList<>(candidate.match().remarks());
    all.addAll(remarks);
    return new Choice(candidate.match(), candidate.recipe(), List.copyOf(all));
  }

  /** What else the keys could have been, if that would give other numbers. */
  private static List<String> doubts(List<Candidate> candidates) {
    Optional<Recipe> taken = candidates.get(0).recipe();
    if (taken.isEmpty()) {
      return List.of(
          "nothing is known of the padding, BatchNorm constants and preprocessing of this network in "
              + candidates.get(0).match().library().title()
              + "; Fusewire's own were taken");
    }
    Recipe first = taken.get();
    Optional<Recipe> other =
        candidates.stream()
            .flatMap(c -> c.recipe().stream())
            .filter(r -> r.padding() != first.padding() || r.epsilon() != first.epsilon())
            .findFirst();
    if (other.isPresent()) {
      return List.of(
          "%s's %s (%s) was assumed; %s has the same keys but %s: if it is that, say --as %s:%s"
              .formatted(
                  first.library().title(),
                  first.model(),
                  first.description(),
                  other.get().model(),
                  other.get().description(),
                  other.get().library().id(),
                  other.get().model()));
    }
    return candidates.stream()
        .flatMap(c -> c.recipe().stream())
        .filter(r -> !r.means(first))
        .findFirst()
        .map(
            r ->
                List.of(
                    "preprocessing of %s's %s was assumed; %s's %s has the same keys: if it is that, say --as %s:%s"
                        .formatted(
                            first.library().title(),
                            first.model(),
                            r.library().title(),
                            r.model(),
                            r.library().id(),
                            r.model())))
        .orElse(List.of());
  }

  /** The library's name of the model, or Fusewire's if none is known. */
  String model() {
    return recipe.map(Recipe::model).orElse(match.network());
  }
}
