// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Architecture;
import io.fusewire.ops.DType;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;

/**
 * What the operations of one training graph share.
 *
 * @param stream where they run
 * @param net the architecture
 * @param batch images at a time
 * @param dtype storage type of activations
 * @param state parameters, gradients and the step's state; null while memory is only estimated, so
 *     not to be asked before a program is bound
 */
record Context(Stream stream, Architecture net, long batch, DType dtype, TrainingState state) {

  /** Of every BatchNorm. */
  float epsilon() {
    return (float) net.batchNormEpsilon();
  }

  /** Of every BatchNorm's running averages. */
  float momentum() {
    return (float) net.batchNormMomentum();
  }

  Tensor value(String name) {
    return state.values().of(name);
  }

  Tensor gradient(String name) {
    return state.gradients().of(name);
  }
}
