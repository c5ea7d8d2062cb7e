// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import java.util.Locale;

/**
 * How learning rate and momentum go over a training run. All are functions of the step alone, so
 * that a run resumes.
 */
public enum Schedule {
  /**
   * One cycle (Smith and Topin, arXiv 1708.07120): up from peak/25 for the first 30 % of the steps,
   * down to peak/10,000 for the rest, both along half a cosine; momentum goes the other way, from
   * the given one down to 0.85 and back.
   */
  ONE_CYCLE,
  /** Linear warm-up from 0, then half a cosine down to 0 (arXiv 1608.03983). */
  COSINE,
  /**
   * The official one: linear warm-up, then the learning rate times 0.97 every 2.4 epochs, in
   * stairs.
   */
  EXPONENTIAL,
  /** Linear warm-up, then always the same. */
  CONSTANT;

  private static final double CYCLE_WARM_UP = 0.3;
  private static final double CYCLE_START_DIVISOR = 25;
  private static final double CYCLE_END_DIVISOR = 10_000;
  private static final double CYCLE_LOWEST_MOMENTUM = 0.85;
  private static final double STAIR_EPOCHS = 2.4;
  private static final double STAIR_FACTOR = 0.97;

  /**
   * Learning rate of a step.
   *
   * @param peak the run's highest learning rate
   * @param step the step from 0
   * @param totalSteps steps of the whole run
   * @param stepsPerEpoch steps of one epoch
   * @param warmUpSteps steps of linear warm-up; {@link #ONE_CYCLE} has its own
   * @return the learning rate
   */
  public double learningRate(
      double peak, long step, long totalSteps, long stepsPerEpoch, long warmUpSteps) {
    if (this == ONE_CYCLE) {
      double top = Math.max(1, CYCLE_WARM_UP * totalSteps);
      if (step < top) {
        return cosine(peak / CYCLE_START_DIVISOR, peak, step / top);
      }
      return cosine(peak, peak / CYCLE_END_DIVISOR, (step - top) / Math.max(1, totalSteps - top));
    }
    if (step < warmUpSteps) {
      return peak * (step + 1) / (warmUpSteps + 1.0);
    }
    return switch (this) {
      case COSINE ->
          cosine(peak, 0, (step - warmUpSteps) / (double) Math.max(1, totalSteps - warmUpSteps));
      case EXPONENTIAL ->
          peak * StrictMath.pow(STAIR_FACTOR, Math.floor(step / (STAIR_EPOCHS * stepsPerEpoch)));
      default -> peak;
    };
  }

  /**
   * Momentum of a step.
   *
   * @param momentum the run's momentum
   * @param step the step from 0
   * @param totalSteps steps of the whole run
   * @return the momentum
   */
  public double momentum(double momentum, long step, long totalSteps) {
    if (this != ONE_CYCLE || momentum <= CYCLE_LOWEST_MOMENTUM) {
      return momentum;
    }
    double top = Math.max(1, CYCLE_WARM_UP * totalSteps);
    return step < top
        ? cosine(momentum, CYCLE_LOWEST_MOMENTUM, step / top)
        : cosine(CYCLE_LOWEST_MOMENTUM, momentum, (step - top) / Math.max(1, totalSteps - top));
  }

  /**
   * Finds a schedule by name.
   *
   * @param name such as {@code one-cycle}
   * @return the schedule
   * @throws IllegalArgumentException if there is none of that name; the message lists those there
   *     are
   */
  public static Schedule byName(String name) {
    return Names.find(Schedule.class, "schedule", name);
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private static double cosine(double from, double to, double share) {
    // StrictMath: the same bits on every machine, so that a run can be resumed elsewhere.
    return to + (from - to) * (1 + StrictMath.cos(Math.PI * Math.min(1, share))) / 2;
  }
}
