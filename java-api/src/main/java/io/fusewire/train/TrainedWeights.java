// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.graph.TrainingState;
import io.fusewire.model.Parameter;
import io.fusewire.model.Parameters;
import io.fusewire.ops.Stream;

/**
 * All weights of a run: those that a {@link TrainingState} holds on the device, and on the host
 * those that stay as they are.
 */
final class TrainedWeights {
  private final Stream stream;
  private final Parameters all;
  private final Parameters trained;
  private final TrainingState state;

  /** The whole network's, for what is not trained; null if everything is. */
  private float[] frozen;

  /**
   * Begins without weights.
   *
   * @param state of the plan's trained parameters: all of the network's, or some
   */
  TrainedWeights(Stream stream, RunPlan plan, TrainingState state) {
    this.stream = stream;
    this.all = plan.net.parameters();
    this.trained = plan.trained;
    this.state = state;
  }

  /** Starts from weights for the whole network; the moving average starts there as well. */
  void start(float[] values) {
    float[] part = values;
    if (trained != all) {
      frozen = values.clone();
      part = new float[Math.toIntExact(trained.elements())];
      for (Parameter to : trained.all()) {
        copy(values, all.get(to.name()), part, to);
      }
    }
    state.values().load(stream, part);
    if (state.average() != null) {
      state.average().load(stream, part);
    }
  }

  /** The newest weights of the whole network. */
  float[] newest() {
    return overlaid(state.values().save(stream));
  }

  /** The weights to use: their moving average if there is one. */
  float[] best() {
    return state.average() == null ? newest() : overlaid(state.average().save(stream));
  }

  private float[] overlaid(float[] part) {
    if (frozen == null) {
      return part;
    }
    float[] values = frozen.clone();
    for (Parameter from : trained.all()) {
      copy(part, from, values, all.get(from.name()));
    }
    return values;
  }

  private static void copy(float[] source, Parameter from, float[] target, Parameter to) {
    System.arraycopy(
        source,
        Math.toIntExact(from.offset()),
        target,
        Math.toIntExact(to.offset()),
        Math.toIntExact(from.count()));
  }
}
