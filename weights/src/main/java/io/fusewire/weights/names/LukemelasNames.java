// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.model.Parameter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Names of the package efficientnet_pytorch: blocks are numbered through, and a block without
 * expansion lacks {@code _expand_conv} and {@code _bn0}.
 */
final class LukemelasNames implements NamingScheme {
  @Override
  public Library library() {
    return Library.LUKEMELAS;
  }

  @Override
  public Set<String> stems() {
    return Set.of("_conv_stem.weight");
  }

  @Override
  public Optional<Map<String, SourceName>> names(List<Parameter> parameters) {
    if (!Slots.describe(parameters)) {
      return Optional.empty();
    }
    Slots slots = Slots.of(parameters);
    if (slots.list().stream()
        .anyMatch(s -> s.block() != null && !(s.block().depthwise() && s.block().gated()))) {
      return Optional.empty(); // it has neither EfficientNetV2 nor EfficientNet-Lite
    }
    Map<String, SourceName> names = new LinkedHashMap<>();
    for (Slot slot : slots.list()) {
      String prefix = slot.block() == null ? "" : "_blocks." + slot.block().number() + ".";
      String layer =
          switch (slot.part()) {
            case STEM -> "_conv_stem";
            case STEM_NORM, EXPAND_NORM -> "_bn0";
            case EXPAND -> "_expand_conv";
            case DEPTHWISE -> "_depthwise_conv";
            case DEPTHWISE_NORM, HEAD_NORM -> "_bn1";
            case REDUCE -> "_se_reduce";
            case EXCITE -> "_se_expand";
            case PROJECT -> "_project_conv";
            case PROJECT_NORM -> "_bn2";
            case HEAD -> "_conv_head";
            case CLASSIFIER -> "_fc";
          };
      names.put(slot.parameter().name(), SourceName.of(prefix + layer + "." + slot.leaf()));
    }
    return Optional.of(names);
  }

  @Override
  public SourceKeys keys(Iterable<String> keys) {
    return PyTorchKeys.clean(keys);
  }
}
