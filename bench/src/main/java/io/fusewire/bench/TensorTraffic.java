// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.ops.Meter;

/**
 * What one step moved of one tensor.
 *
 * @param name the value's, parameter's or workspace's
 * @param kind what the tensor is for
 * @param leastRead the tensor's bytes if the step says that it reads it; for parameters, of which
 *     steps say nothing, if it did
 * @param leastWritten likewise
 * @param moved what the meter counted
 */
record TensorTraffic(
    String name, Kind kind, long leastRead, long leastWritten, Meter.Traffic moved) {
  /** What a tensor is for. */
  enum Kind {
    /** Values that steps hand on: activations, their gradients, statistics. */
    VALUES,
    /** What a step needs only while it runs; no step has to have any. */
    WORKSPACE,
    /** Weights and running statistics. */
    WEIGHTS,
    /** The weights' gradients. */
    GRADIENTS,
    /** The optimizer's state and the moving average. */
    OPTIMIZER
  }
}
