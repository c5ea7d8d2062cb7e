// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;

/**
 * Which value holds the gradient of which, while a graph is walked backwards to list the steps of
 * its backward pass.
 */
final class Gradients {
  private final IdentityHashMap<Value, Value> gradients = new IdentityHashMap<>();
  private final Set<Value> shared = Collections.newSetFromMap(new IdentityHashMap<>());

  /** The gradient of a value so far; null if nothing has contributed to it yet. */
  Value of(Value value) {
    return gradients.get(value);
  }

  void put(Value value, Value gradient) {
    gradients.put(value, gradient);
  }

  /** Notes that a gradient serves two values, so that the first user must not change it. */
  void share(Value gradient) {
    shared.add(gradient);
  }

  /** Whether a gradient may be overwritten by the one who asks; if not, the next who asks may. */
  boolean mayOverwrite(Value gradient) {
    return !shared.remove(gradient);
  }

  /** A value for the gradient of another. */
  static Value like(Value value) {
    return new Value("d " + value.name(), value.dtype(), value.shape());
  }
}
