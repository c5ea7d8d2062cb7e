// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import java.nio.file.Path;
import java.util.List;

/**
 * What a training run left.
 *
 * @param stopped true if it was asked to stop before its end; {@code checkpoint} then resumes it
 * @param testAccuracy share of right answers of the last evaluation, 0 to 1; NaN if there was none
 * @param testLoss loss of the last evaluation; NaN if there was none
 * @param trainSeconds seconds spent in training and evaluation, of all parts of a resumed run
 * @param imagesPerSecond training images per second of training steps
 * @param steps steps made
 * @param skippedSteps steps that overflowed under loss scaling and changed nothing
 * @param skippedFiles files that could not be used
 * @param epochs numbers of every epoch
 * @param directory the run's directory
 * @param model {@code model.safetensors}; null if stopped before its first epoch ended
 * @param metrics {@code metrics.csv}
 * @param curve {@code curve.png}; null if there was no finished epoch to draw, or are no fonts
 * @param checkpoint {@code checkpoint.safetensors}
 */
public record TrainResult(
    boolean stopped,
    double testAccuracy,
    double testLoss,
    double trainSeconds,
    double imagesPerSecond,
    long steps,
    long skippedSteps,
    int skippedFiles,
    List<EpochMetrics> epochs,
    Path directory,
    Path model,
    Path metrics,
    Path curve,
    Path checkpoint) {

  /**
   * Copies the list.
   *
   * @param stopped true if it was asked to stop before its end; {@code checkpoint} then resumes it
   * @param testAccuracy share of right answers of the last evaluation, 0 to 1; NaN if there was
   *     none
   * @param testLoss loss of the last evaluation; NaN if there was none
   * @param trainSeconds seconds spent in training and evaluation, of all parts of a resumed run
   * @param imagesPerSecond training images per second of training steps
   * @param steps steps made
   * @param skippedSteps steps that overflowed under loss scaling and changed nothing
   * @param skippedFiles files that could not be used
   * @param epochs numbers of every epoch
   * @param directory the run's directory
   * @param model {@code model.safetensors}; null if stopped before its first epoch ended
   * @param metrics {@code metrics.csv}
   * @param curve {@code curve.png}; null if there was no finished epoch to draw, or are no fonts
   * @param checkpoint {@code checkpoint.safetensors}
   */
  public TrainResult {
    epochs = List.copyOf(epochs);
  }
}
