// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.model.Parameter;

/**
 * A parameter of an EfficientNet and where it belongs.
 *
 * @param parameter the parameter, under Fusewire's name
 * @param part what its layer does
 * @param block the block it is in; null in stem, head and classifier
 * @param leaf what it is of its layer: {@code weight}, {@code bias}, {@code running_mean} or {@code
 *     running_var}
 */
record Slot(Parameter parameter, Part part, BlockPlace block, String leaf) {
  /** Whether it is the classifier's weight. */
  boolean classifierWeight() {
    return part == Part.CLASSIFIER && leaf.equals("weight");
  }
}
