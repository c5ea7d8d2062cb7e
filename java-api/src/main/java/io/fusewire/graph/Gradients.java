// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import java.util.IdentityHashMap;
import java.util.List;
import java.util.function.Function;

/**
 * What a graph that is walked backwards, to list the steps of its backward pass, knows of its
 * values: which value holds the gradient of which, and which ones of the forward pass are not kept
 * but made again.
 */
final class Gradients {
  private final IdentityHashMap<Value, Value> gradients = new IdentityHashMap<>();
  private final IdentityHashMap<Value, Function<Value, Step>> recomputed = new IdentityHashMap<>();
  private final IdentityHashMap<Value, Value> again = new IdentityHashMap<>();

  /** The gradient of a value so far; null if nothing has contributed to it yet. */
  Value of(Value value) {
    return gradients.get(value);
  }

  void put(Value value, Value gradient) {
    gradients.put(value, gradient);
  }

  /**
   * Says that a value is not kept for the backward pass.
   *
   * @param value one of the forward pass
   * @param step the step that writes its bits again, to the value it is given, from kept values
   */
  void recompute(Value value, Function<Value, Step> step) {
    recomputed.put(value, step);
  }

  /**
   * What a step of the backward pass reads in place of something of the forward pass. If that was
   * not kept, the step that makes it again is added when it is asked for first.
   */
  Normed kept(Normed source, List<Step> steps) {
    Function<Value, Step> step = recomputed.get(source.raw());
    if (step == null) {
      return source;
    }
    Value value =
        again.computeIfAbsent(
            source.raw(),
            raw -> {
              Value copy = new Value(raw.name() + " again", raw.dtype(), raw.shape());
              steps.add(step.apply(copy));
              return copy;
            });
    return new Normed(value, source.norm());
  }

  /** A value for the gradient of another. */
  static Value like(Value value) {
    return new Value("d " + value.name(), value.dtype(), value.shape());
  }
}
