// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

/** Keeps a run's clocks and tells the listener where it is. */
final class Progress {
  private static final double RECENT_SECONDS = 5;

  private final RunPlan plan;
  private final ProgressListener listener;
  private double earlierSeconds;
  private double earlierTrainSeconds;
  private long earlierSteps;
  private long started;
  private long pausedAt;
  private long pausedNanos;
  private long evaluations;
  private long steps;
  private long recentSteps;
  private long recentSince;
  private double recentSpeed;
  private double learningRate;
  private double loss = Double.NaN;
  private double accuracy = Double.NaN;

  Progress(RunPlan plan, ProgressListener listener) {
    this.plan = plan;
    this.listener = listener;
  }

  void resume(long step, double seconds, double trainSeconds) {
    steps = step;
    earlierSteps = step;
    earlierSeconds = seconds;
    earlierTrainSeconds = trainSeconds;
  }

  void start() {
    started = System.nanoTime();
    recentSince = started;
    recentSteps = steps;
  }

  /** Training pauses for an evaluation. */
  void pause() {
    pausedAt = System.nanoTime();
  }

  /** Training goes on. */
  void go() {
    long now = System.nanoTime();
    pausedNanos += now - pausedAt;
    recentSince += now - pausedAt;
    evaluations++;
  }

  void measured(Tally fresh) {
    if (fresh.images() == 0) {
      return;
    }
    // A running mean of about the last 50 steps.
    double weight =
        Double.isNaN(loss) ? 1 : Math.min(1, fresh.images() / (50.0 * plan.choices.batch));
    loss = (Double.isNaN(loss) ? 0 : (1 - weight) * loss) + weight * fresh.meanLoss();
    accuracy = (Double.isNaN(accuracy) ? 0 : (1 - weight) * accuracy) + weight * fresh.accuracy();
  }

  void stepped(long step, double rate) {
    steps = step;
    learningRate = rate;
    long now = System.nanoTime();
    double seconds = (now - recentSince) / 1e9;
    if (recentSpeed == 0 || seconds > RECENT_SECONDS) {
      recentSpeed = (steps - recentSteps) * plan.choices.batch / Math.max(seconds, 1e-9);
      if (seconds > RECENT_SECONDS) {
        recentSince = now;
        recentSteps = steps;
      }
    }
    int epoch = (int) ((step - 1) / plan.stepsPerEpoch) + 1;
    listener.stepped(
        new ProgressListener.Step(
            epoch,
            plan.choices.epochs,
            step,
            plan.totalSteps,
            loss,
            accuracy,
            rate,
            recentSpeed,
            secondsLeft(epoch)));
  }

  private double secondsLeft(int epoch) {
    long made = steps - earlierSteps;
    double perStep = (trainSeconds() - earlierTrainSeconds) / Math.max(1, made);
    // Until the first evaluation has been timed: its images take about a third of a training
    // image's time.
    double perEvaluation =
        evaluations > 0
            ? pausedNanos / 1e9 / evaluations
            : perStep * plan.split.evaluation().size() / (3.0 * plan.choices.batch);
    return perStep * (plan.totalSteps - steps) + perEvaluation * (plan.choices.epochs - epoch + 1);
  }

  double learningRate() {
    return learningRate;
  }

  /** Seconds of training and evaluation, of all parts of a resumed run. */
  double seconds() {
    return earlierSeconds + (started == 0 ? 0 : (System.nanoTime() - started) / 1e9);
  }

  /** Seconds of training alone. */
  double trainSeconds() {
    return earlierTrainSeconds
        + (started == 0 ? 0 : (System.nanoTime() - started - pausedNanos) / 1e9);
  }

  /** Training images per second of training, over the whole run. */
  double imagesPerSecond() {
    return steps * plan.choices.batch / Math.max(trainSeconds(), 1e-9);
  }
}
