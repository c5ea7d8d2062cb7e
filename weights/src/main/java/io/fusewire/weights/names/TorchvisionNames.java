// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.model.Parameter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * torchvision's names: stem, stages and head are numbered through in {@code features}, a block's
 * parts in {@code block}, a convolution is {@code .0} and its BatchNorm {@code .1}.
 */
final class TorchvisionNames implements NamingScheme {
  @Override
  public Library library() {
    return Library.TORCHVISION;
  }

  @Override
  public Set<String> stems() {
    return Set.of("features.0.0.weight", "conv1.weight");
  }

  @Override
  public Optional<Map<String, SourceName>> names(List<Parameter> parameters) {
    if (ResNetNames.describe(parameters)) {
      return Optional.of(TimmNames.same(parameters));
    }
    if (!Slots.describe(parameters)) {
      return Optional.empty();
    }
    Slots slots = Slots.of(parameters);
    if (slots.list().stream()
        .anyMatch(s -> s.block() != null && s.block().depthwise() && !s.block().gated())) {
      return Optional.empty(); // it has no EfficientNet-Lite
    }
    Map<String, SourceName> names = new LinkedHashMap<>();
    for (Slot slot : slots.list()) {
      String layer =
          slot.block() == null ? outside(slot, slots.stages()) : inside(slot.part(), slot.block());
      names.put(slot.parameter().name(), SourceName.of(layer + "." + slot.leaf()));
    }
    return Optional.of(names);
  }

  private static String outside(Slot slot, int stages) {
    return switch (slot.part()) {
      case STEM -> "features.0.0";
      case STEM_NORM -> "features.0.1";
      case HEAD -> "features." + (stages + 1) + ".0";
      case HEAD_NORM -> "features." + (stages + 1) + ".1";
      default -> "classifier.1";
    };
  }

  private static String inside(Part part, BlockPlace block) {
    int depthwise = block.expands() ? 1 : 0;
    int project = block.depthwise() ? depthwise + 2 : depthwise;
    String place =
        switch (part) {
          case EXPAND -> "0.0";
          case EXPAND_NORM -> "0.1";
          case DEPTHWISE -> depthwise + ".0";
          case DEPTHWISE_NORM -> depthwise + ".1";
          case REDUCE -> depthwise + 1 + ".fc1";
          case EXCITE -> depthwise + 1 + ".fc2";
          case PROJECT -> project + ".0";
          default -> project + ".1";
        };
    return "features.%d.%d.block.%s".formatted(block.stage() + 1, block.index(), place);
  }

  @Override
  public SourceKeys keys(Iterable<String> keys) {
    return PyTorchKeys.clean(keys);
  }
}
