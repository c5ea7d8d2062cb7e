// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.model.Parameter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** timm's names, which are Fusewire's own for all that timm has. */
final class TimmNames implements NamingScheme {
  @Override
  public Library library() {
    return Library.TIMM;
  }

  @Override
  public Set<String> stems() {
    return Set.of("conv_stem.weight", "conv1.weight");
  }

  @Override
  public Optional<Map<String, SourceName>> names(List<Parameter> parameters) {
    if (!Slots.describe(parameters) && !ResNetNames.describe(parameters)) {
      return Optional.empty();
    }
    return Optional.of(same(parameters));
  }

  /** Every parameter under its own name. */
  static Map<String, SourceName> same(List<Parameter> parameters) {
    Map<String, SourceName> names = new LinkedHashMap<>();
    parameters.forEach(p -> names.put(p.name(), SourceName.of(p.name())));
    return names;
  }

  @Override
  public SourceKeys keys(Iterable<String> keys) {
    return PyTorchKeys.clean(keys);
  }
}
