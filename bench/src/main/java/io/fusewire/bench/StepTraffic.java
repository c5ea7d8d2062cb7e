// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.ops.Meter;
import java.util.List;

/**
 * What one step of a network moved.
 *
 * @param name the step's; not necessarily unique
 * @param phase which part of the whole it belongs to
 * @param tensors what moved of each tensor that the step touches
 * @param launches kernels and copies
 * @param elsewhere bytes asked for of device memory that is none of the tensors: the training
 *     step's number and rates, the loss scale, the optimizer's table
 */
record StepTraffic(
    String name, Phase phase, List<TensorTraffic> tensors, long launches, long elsewhere) {
  /** Parts of a training step; inference is all forward. */
  enum Phase {
    FORWARD,
    BACKWARD,
    OPTIMIZER
  }

  StepTraffic {
    tensors = List.copyOf(tensors);
  }

  /** All tensors of a kind together. */
  Meter.Traffic moved(TensorTraffic.Kind kind) {
    return tensors.stream()
        .filter(t -> t.kind() == kind)
        .map(TensorTraffic::moved)
        .reduce(Meter.Traffic.NONE, Meter.Traffic::plus);
  }

  /** All tensors together. */
  Meter.Traffic moved() {
    return tensors.stream()
        .map(TensorTraffic::moved)
        .reduce(Meter.Traffic.NONE, Meter.Traffic::plus);
  }

  /** The bytes that must move at least: every tensor once in each direction it moves in. */
  long least() {
    return tensors.stream().mapToLong(t -> t.leastRead() + t.leastWritten()).sum();
  }
}
