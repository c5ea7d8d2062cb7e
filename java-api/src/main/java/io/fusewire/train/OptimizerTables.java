// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.graph.TrainingState;
import io.fusewire.model.Parameter;
import io.fusewire.model.Parameters;
import io.fusewire.ops.ParameterTable;
import io.fusewire.ops.Stream;

/** Lists a network's parameters for the optimizer. */
final class OptimizerTables {
  private OptimizerTables() {}

  /**
   * Weights decay, BatchNorm and biases do not; running statistics only have their average taken.
   */
  static ParameterTable of(
      Stream stream,
      Parameters parameters,
      TrainingState state,
      double weightDecay,
      LearningRates rates) {
    ParameterTable.Builder table = ParameterTable.builder(stream);
    for (Parameter parameter : parameters.all()) {
      var value = state.values().of(parameter);
      var average = state.average() == null ? null : state.average().of(parameter);
      if (parameter.kind().trained()) {
        table.add(
            value,
            state.gradients().of(parameter),
            state.state0().of(parameter),
            state.state1() == null ? null : state.state1().of(parameter),
            average,
            parameter.kind().decays() ? (float) weightDecay : 0,
            rates.factor(parameter));
      } else if (average != null) {
        table.addAverageOnly(value, average);
      }
    }
    return table.build();
  }
}
