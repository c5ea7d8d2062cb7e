// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import java.util.List;

/** One operation of a training graph: lists the steps of its forward and of its backward pass. */
interface Operation {
  /** Adds the steps of the forward pass. */
  void forward(List<Step> steps);

  /** Names what the operation writes that the backward pass is to make again, not to keep. */
  default void recomputes(Gradients gradients) {}

  /**
   * Adds the steps of the backward pass. The gradient of what the operation wrote is known;
   * gradients of what it read are added to what is there already.
   */
  void backward(Gradients gradients, List<Step> steps);
}
