// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.model.Parameter;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Names of Keras 3's {@code .weights.h5} and {@code .keras}, which do not have the layers' own
 * names: layers of a kind are numbered in the model's order, and so are a layer's variables.
 */
final class KerasIndexedNames implements NamingScheme {
  private static final Pattern PATH =
      Pattern.compile("(?:.*/)?(?:_layer_checkpoint_dependencies|layers)/([a-z0-9_]+)/vars/(\\d+)");

  /** Kinds of layers by their classes' names. */
  private enum Kind {
    CONV2D,
    DEPTHWISE_CONV2D,
    BATCH_NORMALIZATION,
    DENSE
  }

  @Override
  public Library library() {
    return Library.KERAS;
  }

  @Override
  public Set<String> stems() {
    return Set.of("conv2d/0");
  }

  @Override
  public Optional<Map<String, SourceName>> names(List<Parameter> parameters) {
    if (new KerasNames().names(parameters).isEmpty()) {
      return Optional.empty();
    }
    Map<Kind, Integer> counts = new EnumMap<>(Kind.class);
    Map<String, Integer> numbers = new LinkedHashMap<>();
    Map<String, SourceName> names = new LinkedHashMap<>();
    for (Slot slot : Slots.of(parameters).list()) {
      Kind kind = kind(slot.part());
      String name = slot.parameter().name();
      String layer = name.substring(0, name.lastIndexOf('.'));
      int number = numbers.computeIfAbsent(layer, key -> counts.merge(kind, 1, Integer::sum) - 1);
      names.put(
          name,
          new SourceName(
              layer(kind, number) + "/" + variable(slot),
              Axes.tensorFlow(slot.parameter().kind())));
    }
    return Optional.of(names);
  }

  private static Kind kind(Part part) {
    if (part.norm()) {
      return Kind.BATCH_NORMALIZATION;
    }
    return switch (part) {
      case DEPTHWISE -> Kind.DEPTHWISE_CONV2D;
      case CLASSIFIER -> Kind.DENSE;
      default -> Kind.CONV2D;
    };
  }

  private static String layer(Kind kind, int number) {
    String name = kind.name().toLowerCase(Locale.ROOT);
    return number == 0 ? name : name + "_" + number;
  }

  private static int variable(Slot slot) {
    return switch (slot.leaf()) {
      case "weight" -> 0;
      case "bias" -> 1;
      case "running_mean" -> 2;
      default -> 3;
    };
  }

  @Override
  public SourceKeys keys(Iterable<String> keys) {
    Map<String, String> names = new LinkedHashMap<>();
    for (String key : keys) {
      Matcher path = PATH.matcher(key);
      if (path.matches()) {
        names.put(normalization(path.group(1), path.group(2)), key);
      } else if (!key.startsWith("optimizer/")) {
        names.put(key, key);
      }
    }
    return new SourceKeys(names, List.of());
  }

  /** The preprocessing layer's variables get the names that older files have. */
  private static String normalization(String layer, String variable) {
    if (!layer.equals(KerasNames.NORMALIZATION)) {
      return layer + "/" + variable;
    }
    return layer
        + "/"
        + switch (variable) {
          case "0" -> "mean";
          case "1" -> "variance";
          default -> "count";
        };
  }
}
