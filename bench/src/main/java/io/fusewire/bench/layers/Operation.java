// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/** What is measured of a layer. Not every layer has every operation. */
public enum Operation {
  /** The layer alone. */
  FORWARD,
  /** All its gradients, where one call makes them. */
  BACKWARD,
  /** The gradient of its source alone. */
  BACKWARD_DATA,
  /** The gradient of its weights alone. */
  BACKWARD_WEIGHTS,
  /** As in training: the BatchNorm before it on load, statistics for the one after it on store. */
  FUSED_FORWARD,
  /** As in training: all its gradients, and BatchNorm's, from raw tensors. */
  FUSED_BACKWARD,
  /** The BatchNorm after it, with its activation, alone. */
  NORM_FORWARD,
  /** The gradients of the BatchNorm after it and its activation, alone. */
  NORM_BACKWARD,
  /** As in inference: with bias, activation, and what else the network fuses. */
  INFERENCE,
  /** As in inference, with the expansion before it in the same kernel. */
  INFERENCE_EXPANDED;

  /**
   * As it is written in cases and on the command line.
   *
   * @return such as {@code backward-data}
   */
  public String label() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /**
   * The operations that some words mean: an operation's label, or the first words of several.
   *
   * @param words such as {@code backward}, which means all that begin with it, or {@code all}
   * @return in the order of this list
   * @throws IllegalArgumentException if a word means none; the message lists those there are
   */
  public static List<Operation> meant(List<String> words) {
    Set<Operation> meant = new LinkedHashSet<>();
    for (String word : words) {
      List<Operation> found = new ArrayList<>();
      for (Operation operation : values()) {
        String named = word.toLowerCase(Locale.ROOT) + "-";
        if (named.equals("all-") || (operation.label() + "-").startsWith(named)) {
          found.add(operation);
        }
      }
      if (found.isEmpty()) {
        throw new IllegalArgumentException(
            "no operation is '"
                + word
                + "'; there are "
                + Arrays.stream(values()).map(Operation::label).collect(Collectors.joining(", ")));
      }
      meant.addAll(found);
    }
    return Arrays.stream(values()).filter(meant::contains).toList();
  }
}
