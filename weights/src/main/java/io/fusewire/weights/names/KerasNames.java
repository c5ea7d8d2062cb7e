// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.model.Parameter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Names of keras.applications: stages are numbered from 1, blocks of a stage lettered, and every
 * layer has a name of its own. The preprocessing layer's tensors stay among the keys.
 */
final class KerasNames implements NamingScheme {
  /** The layer that subtracts the mean and divides by the deviation. */
  static final String NORMALIZATION = "normalization";

  private static final Pattern OPTIMIZER = Pattern.compile("(optimizer|optimizer_weights)/.*");

  @Override
  public Library library() {
    return Library.KERAS;
  }

  @Override
  public Set<String> stems() {
    return Set.of("stem_conv/kernel");
  }

  @Override
  public Optional<Map<String, SourceName>> names(List<Parameter> parameters) {
    if (!Slots.describe(parameters)) {
      return Optional.empty();
    }
    Slots slots = Slots.of(parameters);
    if (slots.list().stream()
        .anyMatch(s -> s.block() != null && s.block().depthwise() && !s.block().gated())) {
      return Optional.empty(); // it has no EfficientNet-Lite
    }
    boolean v2 = slots.list().stream().anyMatch(s -> s.block() != null && !s.block().depthwise());
    Map<String, SourceName> names = new LinkedHashMap<>();
    for (Slot slot : slots.list()) {
      String layer = slot.block() == null ? outside(slot.part()) : inside(slot, v2);
      names.put(
          slot.parameter().name(),
          new SourceName(
              layer + "/" + TensorFlowNames.leaf(slot), Axes.tensorFlow(slot.parameter().kind())));
    }
    return Optional.of(names);
  }

  private static String outside(Part part) {
    return switch (part) {
      case STEM -> "stem_conv";
      case STEM_NORM -> "stem_bn";
      case HEAD -> "top_conv";
      case HEAD_NORM -> "top_bn";
      default -> "predictions";
    };
  }

  private static String inside(Slot slot, boolean v2) {
    BlockPlace block = slot.block();
    String layer =
        switch (slot.part()) {
          case EXPAND -> "expand_conv";
          case EXPAND_NORM -> "expand_bn";
          case DEPTHWISE -> v2 ? "dwconv2" : "dwconv";
          case DEPTHWISE_NORM -> "bn";
          case REDUCE -> "se_reduce";
          case EXCITE -> "se_expand";
          case PROJECT -> "project_conv";
          default -> "project_bn";
        };
    return "block%d%c_%s".formatted(block.stage() + 1, (char) ('a' + block.index()), layer);
  }

  /**
   * Keeps a key's last two parts, layer and variable: files of Keras 2 repeat the layer's name as
   * its group, and end in {@code :0}.
   */
  @Override
  public SourceKeys keys(Iterable<String> keys) {
    Map<String, String> names = new LinkedHashMap<>();
    int slots = 0;
    for (String key : keys) {
      if (OPTIMIZER.matcher(key).matches()) {
        slots++;
        continue;
      }
      String plain = key.endsWith(":0") ? key.substring(0, key.length() - 2) : key;
      String[] parts = plain.split("/", -1);
      String name =
          parts.length < 2 ? plain : parts[parts.length - 2] + "/" + parts[parts.length - 1];
      // Two layers of one name are not from keras.applications; keep them apart.
      names.put(names.containsKey(name) ? plain : name, key);
    }
    List<String> remarks = new ArrayList<>();
    if (slots > 0) {
      remarks.add("left out " + slots + " tensors of the optimizer");
    }
    return new SourceKeys(names, remarks);
  }
}
