// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.model.Parameter;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** fastai's names of XResNets, which are Fusewire's own. */
final class FastaiNames implements NamingScheme {
  @Override
  public Library library() {
    return Library.FASTAI;
  }

  @Override
  public Set<String> stems() {
    return Set.of("0.0.weight");
  }

  @Override
  public Optional<Map<String, SourceName>> names(List<Parameter> parameters) {
    if (parameters.stream().noneMatch(p -> p.name().contains(".convpath."))) {
      return Optional.empty();
    }
    return Optional.of(TimmNames.same(parameters));
  }

  @Override
  public SourceKeys keys(Iterable<String> keys) {
    return PyTorchKeys.clean(keys);
  }
}
