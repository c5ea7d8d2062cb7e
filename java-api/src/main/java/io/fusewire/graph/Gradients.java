// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import java.util.IdentityHashMap;

/**
 * Which value holds the gradient of which, while a graph is walked backwards to list the steps of
 * its backward pass.
 */
final class Gradients {
  private final IdentityHashMap<Value, Value> gradients = new IdentityHashMap<>();

  /** The gradient of a value so far; null if nothing has contributed to it yet. */
  Value of(Value value) {
    return gradients.get(value);
  }

  void put(Value value, Value gradient) {
    gradients.put(value, gradient);
  }

  /** A value for the gradient of another. */
  static Value like(Value value) {
    return new Value("d " + value.name(), value.dtype(), value.shape());
  }
}
