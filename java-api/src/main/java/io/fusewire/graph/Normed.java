// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Activation;
import io.fusewire.ops.Tensor;
import java.util.List;

/**
 * What an operation reads: a tensor as it left its convolution, with the BatchNorm and activation
 * to apply on load.
 *
 * @param raw (batch, height, width, channels)
 * @param norm what is applied; null: the tensor is taken as it is
 */
record Normed(Value raw, Norm norm) {

  static Normed plain(Value value) {
    return new Normed(value, null);
  }

  Activation activation() {
    return norm == null ? Activation.IDENTITY : norm.activation();
  }

  long batch() {
    return raw.size(0);
  }

  long pixels() {
    return raw.size(1) * raw.size(2);
  }

  long channels() {
    return raw.size(3);
  }

  /** Adds what a step that reads this has to declare. */
  void reads(List<Value> values) {
    values.add(raw);
    if (norm != null) {
      values.add(norm.table());
    }
  }

  /** The norm table; null if there is none. */
  Tensor table(Step.Memory memory) {
    return norm == null ? null : memory.of(norm.table());
  }
}
