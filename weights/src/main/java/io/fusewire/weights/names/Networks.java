// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.model.Architecture;
import io.fusewire.model.ArchitectureBuilder;
import java.util.List;
import java.util.Optional;

/** The architectures that weights are compared with. */
final class Networks {
  private static final List<String> NAMES = List.of("b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7");

  private Networks() {}

  /** Names of all of them. */
  static List<String> names() {
    return NAMES;
  }

  /** An architecture as Fusewire has it, with 1000 classes and three input channels. */
  static Architecture plain(String name) {
    return Architecture.byName(name).build();
  }

  /** An architecture with what the weights' source says about it. */
  static Architecture of(String name, int classes, int inputChannels, Optional<Recipe> recipe) {
    ArchitectureBuilder<?> builder = Architecture.byName(name);
    builder.classes(classes);
    builder.inputChannels(inputChannels);
    recipe.ifPresent(
        r -> {
          builder.padding(r.padding());
          builder.batchNorm(r.epsilon(), r.momentum());
          builder.resolution(r.preprocessing().window());
        });
    return builder.build();
  }
}
