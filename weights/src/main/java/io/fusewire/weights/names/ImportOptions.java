// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import java.util.Optional;
import java.util.OptionalInt;

/**
 * What is wanted of an import beyond what the file says.
 *
 * @param source who made the weights, as {@code library} or {@code library:model}, such as {@code
 *     timm:tf_efficientnet_b0}; empty to find it from the keys and the file's surroundings
 * @param classes number of classes of the network wanted; empty for the file's own. If it is
 *     another, everything but the classifier is loaded
 */
public record ImportOptions(Optional<String> source, OptionalInt classes) {
  /**
   * Takes everything as the file has it.
   *
   * @return no source, no class count
   */
  public static ImportOptions defaults() {
    return new ImportOptions(Optional.empty(), OptionalInt.empty());
  }

  /**
   * Says who made the weights.
   *
   * @param as {@code library} or {@code library:model}
   * @return these options with that source
   * @throws IllegalArgumentException if there is no such library or model; the message lists those
   *     there are
   */
  public ImportOptions as(String as) {
    Origin.parse(Optional.of(as));
    return new ImportOptions(Optional.of(as), classes);
  }

  /**
   * Says how many classes are wanted.
   *
   * @param count at least 1
   * @return these options with that count
   */
  public ImportOptions withClasses(int count) {
    return new ImportOptions(source, OptionalInt.of(count));
  }
}
