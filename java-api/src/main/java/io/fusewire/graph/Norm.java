// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.Tensor;

/**
 * A BatchNorm and the activation after it, which whoever reads the raw tensor applies on load.
 * Whoever writes the raw tensor writes the table; who has the gradient of the normalised tensor
 * writes the gradient table.
 */
final class Norm {
  private final Context context;
  private final String name;
  private final Activation activation;
  private final Value table;
  private final Value gradientTable;

  Norm(Context context, String name, Activation activation, long channels) {
    this.context = context;
    this.name = name;
    this.activation = activation;
    this.table = new Value(name + " norm", DType.F32, 4, channels);
    this.gradientTable = new Value(name + " gradient", DType.F32, 2, channels);
  }

  Activation activation() {
    return activation;
  }

  /** Mean, 1/std, scale, shift. */
  Value table() {
    return table;
  }

  /** Slope and offset of the raw tensor's gradient. */
  Value gradientTable() {
    return gradientTable;
  }

  Tensor gamma() {
    return context.value(name + ".weight");
  }

  Tensor beta() {
    return context.value(name + ".bias");
  }

  Tensor runningMean() {
    return context.value(name + ".running_mean");
  }

  Tensor runningVariance() {
    return context.value(name + ".running_var");
  }

  Tensor diffGamma() {
    return context.gradient(name + ".weight");
  }

  Tensor diffBeta() {
    return context.gradient(name + ".bias");
  }
}
