// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

/**
 * Is told how a training run goes. Called on the training thread: whatever takes long here stops
 * the training. All methods do nothing unless overridden.
 */
public interface ProgressListener {
  /** A listener that does nothing. */
  ProgressListener NONE = new ProgressListener() {};

  /**
   * Something worth a line of text: what is being fetched, which files were left out, what was
   * resumed.
   *
   * @param line one line, without an end-of-line
   */
  default void message(String line) {}

  /**
   * Everything is ready and the first step comes next.
   *
   * @param start what will run
   */
  default void started(Start start) {}

  /**
   * A training step was made. Loss and accuracy lag a few steps behind, since waiting for them
   * would idle the device.
   *
   * @param step where the run is
   */
  default void stepped(Step step) {}

  /**
   * Part of an evaluation was made.
   *
   * @param epoch the epoch from 1
   * @param done images done
   * @param total images of the evaluation
   */
  default void evaluating(int epoch, long done, long total) {}

  /**
   * An epoch has ended and was evaluated.
   *
   * @param metrics its numbers
   */
  default void epochEnded(EpochMetrics metrics) {}

  /**
   * The run has ended, by itself or because it was asked to stop.
   *
   * @param result what it left
   */
  default void finished(TrainResult result) {}

  /**
   * What a run is about to do.
   *
   * @param model such as "EfficientNet-B0"
   * @param device name of the device
   * @param trainImages images of the training set
   * @param evaluationImages images of the evaluation set
   * @param classes number of classes
   * @param parameters trained parameters
   * @param epochs epochs of the run
   * @param stepsPerEpoch steps of one epoch
   * @param firstStep 0, or where a resumed run goes on
   * @param arenaBytes bytes of activations and workspaces by the memory plan
   * @param totalBytes bytes of everything on the device
   */
  record Start(
      String model,
      String device,
      long trainImages,
      long evaluationImages,
      int classes,
      long parameters,
      int epochs,
      long stepsPerEpoch,
      long firstStep,
      long arenaBytes,
      long totalBytes) {}

  /**
   * Where a run is.
   *
   * @param epoch the epoch from 1
   * @param epochs epochs of the run
   * @param step steps made, of the whole run
   * @param totalSteps steps of the whole run
   * @param loss mean training loss of about the last 50 steps
   * @param accuracy share of right answers of the same steps, with dropout and augmentation, 0 to 1
   * @param learningRate of this step
   * @param imagesPerSecond of the last few seconds
   * @param secondsLeft estimate for the rest of the run, evaluations included
   */
  record Step(
      int epoch,
      int epochs,
      long step,
      long totalSteps,
      double loss,
      double accuracy,
      double learningRate,
      double imagesPerSecond,
      double secondsLeft) {}
}
