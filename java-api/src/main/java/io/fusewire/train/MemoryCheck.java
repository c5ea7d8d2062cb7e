// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.graph.HeadTrainingNetwork;
import io.fusewire.graph.ImageInput;
import io.fusewire.graph.InferenceNetwork;
import io.fusewire.graph.MemoryLimit;
import io.fusewire.graph.TrainingNetwork;
import io.fusewire.model.MemoryEstimate;
import io.fusewire.ops.Stream;

/** Compares what a training run needs with the device before anything is allocated. */
final class MemoryCheck {
  private MemoryCheck() {}

  /**
   * Makes sure that training fits.
   *
   * @throws io.fusewire.ops.FusewireException if it does not; the message has the plan's numbers
   *     and the largest batch that fits
   */
  static void forTraining(Stream stream, RunPlan plan) {
    check(stream, plan, MemoryLimit.available(stream.device()));
  }

  static void check(Stream stream, RunPlan plan, long available) {
    MemoryLimit.check(
        "training " + plan.net,
        stream.device(),
        available,
        estimate(stream, plan, plan.choices.batch),
        "parameters, gradients, optimizer state, weights for evaluation and staged input",
        batch -> estimate(stream, plan, batch),
        2);
  }

  /** Everything that a run allocates, but for a few hundred kilobytes. */
  static MemoryEstimate estimate(Stream stream, RunPlan plan, long batch) {
    MemoryEstimate training = training(stream, plan, batch);
    MemoryEstimate evaluation =
        InferenceNetwork.estimate(
            stream, plan.net, batch, plan.choices.dtype, ImageInput.plain(plan.preprocessing));
    // Evaluation uses training's arena if that is large enough.
    long more = evaluation.arenaBytes() > training.arenaBytes() ? evaluation.arenaBytes() : 0;
    long staged =
        InputStage.overlaps(stream.device()) ? batch * (plan.imageBytes() + Integer.BYTES) : 0;
    long results = StepResults.bytes(batch);
    return new MemoryEstimate(
        batch,
        training.arenaBytes() + more,
        training.parameterBytes() + evaluation.parameterBytes() + staged + results);
  }

  private static MemoryEstimate training(Stream stream, RunPlan plan, long batch) {
    var dtype = plan.choices.dtype;
    var kind = plan.optimizer().kind();
    boolean average = plan.choices.emaDecay > 0;
    return plan.choices.freeze == Freeze.FEATURES
        ? HeadTrainingNetwork.estimate(
            stream, plan.net, batch, dtype, plan.trainInput, kind, average)
        : TrainingNetwork.estimate(stream, plan.net, batch, dtype, plan.trainInput, kind, average);
  }
}
