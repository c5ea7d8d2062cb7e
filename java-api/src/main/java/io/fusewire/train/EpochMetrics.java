// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

/**
 * Numbers of one epoch: a row of {@code metrics.csv}.
 *
 * @param epoch the epoch from 1
 * @param step steps made so far
 * @param trainLoss mean training loss over the epoch
 * @param trainAccuracy share of right answers in training, with dropout and augmentation, 0 to 1
 * @param evaluationLoss mean loss over the evaluation set, without label smoothing
 * @param evaluationAccuracy share of right answers over the evaluation set, 0 to 1
 * @param learningRate of the epoch's last step
 * @param imagesPerSecond training images per second of training time
 */
public record EpochMetrics(
    int epoch,
    long step,
    double trainLoss,
    double trainAccuracy,
    double evaluationLoss,
    double evaluationAccuracy,
    double learningRate,
    double imagesPerSecond) {}
