// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.model.Architecture;
import io.fusewire.model.EfficientNet;
import io.fusewire.model.Padding;
import io.fusewire.model.Parameter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A network in another library's terms.
 *
 * @param model the library's name of it; Fusewire's, if it has none
 * @param names its names of the tensors; empty if it has none
 * @param problems sentences on what it would compute otherwise
 * @param arguments what its builder must be told beyond the name, as timm calls it: strings and
 *     numbers
 * @param remarks how to load the weights there
 */
record Expression(
    String model,
    Map<String, SourceName> names,
    List<String> problems,
    Map<String, Object> arguments,
    List<String> remarks) {
  /** timm's name of the class count. */
  static final String CLASSES = "num_classes";

  private static final int COLOURS = 3;

  /** Whether the library has names for the tensors. */
  boolean named() {
    return !names.isEmpty();
  }

  static Expression of(Architecture network, Library library) {
    List<Parameter> parameters = network.parameters().all();
    Optional<Map<String, SourceName>> names = Detection.scheme(library).names(parameters);
    if (names.isEmpty()) {
      return new Expression(
          network.name(),
          Map.of(),
          List.of(library.title() + " has no network of such blocks"),
          Map.of(),
          List.of());
    }
    Optional<String> known = Networks.like(network);
    List<Recipe> recipes = known.map(name -> Recipes.of(library, name)).orElseGet(List::of);
    if (recipes.isEmpty()) {
      return new Expression(
          network.name(),
          names.get(),
          List.of(library.title() + " has no model of this architecture"),
          Map.of(),
          List.of());
    }
    return library == Library.TIMM
        ? timm(network, known.get(), names.get(), recipes)
        : torchvision(network, known.get(), names.get(), recipes.get(0));
  }

  private static Expression timm(
      Architecture network, String known, Map<String, SourceName> names, List<Recipe> recipes) {
    Recipe recipe =
        recipes.stream().filter(r -> same(network, r)).findFirst().orElse(recipes.get(0));
    Map<String, Object> arguments = new LinkedHashMap<>();
    List<String> problems = activations(network, known, Library.TIMM);
    if (!same(network, recipe)) {
      if (Slots.describe(network.parameters().all())) {
        arguments.put("pad_type", network.padding() == Padding.SAME ? "same" : "");
        arguments.put("bn_eps", network.batchNormEpsilon());
      } else {
        problems.addAll(numbers(network, recipe));
      }
    }
    if (network.classes() != 1000) {
      arguments.put(CLASSES, network.classes());
    }
    if (network.inputChannels() != COLOURS) {
      arguments.put("in_chans", network.inputChannels());
    }
    return new Expression(
        recipe.family(),
        names,
        problems,
        arguments,
        List.of(
            "in Python: timm.create_model('%s'%s)".formatted(recipe.family(), python(arguments))));
  }

  private static String python(Map<String, Object> arguments) {
    StringBuilder text = new StringBuilder();
    arguments.forEach(
        (name, value) ->
            text.append(", ")
                .append(name)
                .append('=')
                .append(value instanceof String ? "'" + value + "'" : value));
    return text.toString();
  }

  private static Expression torchvision(
      Architecture network, String known, Map<String, SourceName> names, Recipe recipe) {
    List<String> problems = activations(network, known, Library.TORCHVISION);
    problems.addAll(numbers(network, recipe));
    if (network.inputChannels() != COLOURS) {
      problems.add(
          "torchvision's models read images of 3 channels, not of " + network.inputChannels());
    }
    String arguments = network.classes() == 1000 ? "" : "num_classes=" + network.classes();
    return new Expression(
        recipe.family(),
        names,
        problems,
        Map.of(),
        List.of("in Python: torchvision.models.%s(%s)".formatted(recipe.family(), arguments)));
  }

  private static boolean same(Architecture network, Recipe recipe) {
    return network.padding() == recipe.padding() && network.batchNormEpsilon() == recipe.epsilon();
  }

  private static List<String> numbers(Architecture network, Recipe recipe) {
    List<String> problems = new ArrayList<>();
    if (network.padding() != recipe.padding()) {
      problems.add(
          "its convolutions pad as TensorFlow's SAME does, %s's symmetrically, so %s would compute other numbers"
              .formatted(recipe.library().title(), recipe.library().title()));
    }
    if (network.batchNormEpsilon() != recipe.epsilon()) {
      problems.add(
          "its BatchNorm has epsilon %s, %s's %s has %s, so %s would compute other numbers"
              .formatted(
                  network.batchNormEpsilon(),
                  recipe.library().title(),
                  recipe.family(),
                  recipe.epsilon(),
                  recipe.library().title()));
    }
    return problems;
  }

  /** Activations that the library's model does not have. */
  private static List<String> activations(Architecture network, String known, Library library) {
    List<String> problems = new ArrayList<>();
    if (!(network instanceof EfficientNet net)) {
      return problems;
    }
    if (net.squeezeRelu()) {
      problems.add(
          "its squeeze-and-excite has ReLU inside, %s's SiLU, so %s would compute other numbers"
              .formatted(library.title(), library.title()));
    }
    if (Networks.plain(known) instanceof EfficientNet usual
        && usual.activation() != net.activation()) {
      problems.add(
          "its activation is %s, %s's %s, so %s would compute other numbers"
              .formatted(net.activation(), library.title(), usual.activation(), library.title()));
    }
    return problems;
  }
}
