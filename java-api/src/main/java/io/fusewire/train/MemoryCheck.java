// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.graph.TrainingNetwork;
import io.fusewire.model.MemoryEstimate;
import io.fusewire.ops.FusewireException;
import io.fusewire.ops.Stream;
import java.util.Locale;

/** Compares a memory plan with the device before anything is allocated. */
final class MemoryCheck {
  /** What drivers and allocators keep for themselves. */
  private static final double USABLE = 0.97;

  private MemoryCheck() {}

  /**
   * Makes sure that training fits.
   *
   * @throws FusewireException if it does not; the message has the plan's numbers and the largest
   *     batch that fits
   */
  static void forTraining(Stream stream, RunPlan plan) {
    check(stream, plan, (long) (stream.device().freeMemory() * USABLE));
  }

  static void check(Stream stream, RunPlan plan, long available) {
    MemoryEstimate estimate = estimate(stream, plan, plan.choices.batch);
    if (estimate.totalBytes() <= available) {
      return;
    }
    long low = 1;
    long high = plan.choices.batch;
    // The plan grows with the batch, so the largest that fits is found by halving.
    while (high - low > 1) {
      long middle = (low + high) / 2;
      if (estimate(stream, plan, middle).totalBytes() <= available) {
        low = middle;
      } else {
        high = middle;
      }
    }
    throw new FusewireException(
        String.format(
            Locale.ROOT,
            "%s at batch %d needs %s on %s (%s of activations by the memory plan, %s of parameters, gradients and "
                + "optimizer state), where %s are free; %s",
            plan.net,
            plan.choices.batch,
            gibibytes(estimate.totalBytes()),
            stream.device(),
            gibibytes(estimate.arenaBytes()),
            gibibytes(estimate.parameterBytes()),
            gibibytes(available),
            low >= 2
                ? "the largest batch that fits is " + low
                : "no batch fits: take a smaller model or resolution"));
  }

  static MemoryEstimate estimate(Stream stream, RunPlan plan, long batch) {
    return TrainingNetwork.estimate(
        stream,
        plan.net,
        batch,
        plan.choices.dtype,
        plan.trainInput,
        plan.optimizer().kind(),
        plan.choices.emaDecay > 0);
  }

  static String gibibytes(long bytes) {
    return String.format(Locale.ROOT, "%.2f GiB", bytes / (double) (1L << 30));
  }
}
