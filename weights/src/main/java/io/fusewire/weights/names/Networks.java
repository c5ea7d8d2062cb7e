// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.model.Architecture;
import io.fusewire.model.ArchitectureBuilder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The architectures that weights are compared with. */
final class Networks {
  private static final Map<String, Architecture> PLAIN = new LinkedHashMap<>();

  static {
    Architecture.names().forEach(name -> PLAIN.put(name, Architecture.byName(name).build()));
  }

  private Networks() {}

  /** Names of all of them. */
  static List<String> names() {
    return List.copyOf(PLAIN.keySet());
  }

  /** An architecture as Fusewire has it, with 1000 classes and three input channels. */
  static Architecture plain(String name) {
    return PLAIN.get(name);
  }

  /** An architecture with what the weights' source says about it. */
  static Architecture of(
      String name, int classes, int inputChannels, int resolution, Optional<Recipe> recipe) {
    ArchitectureBuilder<?> builder = Architecture.byName(name);
    builder.classes(classes);
    builder.inputChannels(inputChannels);
    builder.resolution(resolution);
    recipe.ifPresent(
        r -> {
          builder.padding(r.padding());
          builder.batchNorm(r.epsilon(), r.momentum());
        });
    return builder.build();
  }

  /** The architecture that a network is, but for classes, input channels and constants. */
  static Optional<String> like(Architecture network) {
    ArchitectureBuilder<?> builder = network.toBuilder();
    builder.classes(1000);
    builder.inputChannels(3);
    List<String> shapes = shapes(builder.build());
    return PLAIN.entrySet().stream()
        .filter(entry -> shapes(entry.getValue()).equals(shapes))
        .map(Map.Entry::getKey)
        .findFirst();
  }

  private static List<String> shapes(Architecture network) {
    List<String> shapes = new ArrayList<>();
    network.parameters().all().forEach(p -> shapes.add(p.name() + p.shape()));
    network.blocks().forEach(b -> shapes.add("stride " + b.stride()));
    return shapes;
  }
}
