// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/** Multi-sample-dropout head in double precision, sample by sample. */
final class DropoutHeadReference {
  final int batch;
  final int channels;
  final int classes;
  final int samples;
  final float dropout;
  final double smoothing;
  final SampleMode mode;
  final int layer;
  final long seed;
  final int step;
  double[] losses;
  int[] correct;
  double[] diffLogits;

  DropoutHeadReference(
      int batch,
      int channels,
      int classes,
      int samples,
      float dropout,
      float smoothing,
      SampleMode mode,
      int layer,
      long seed,
      int step) {
    this.batch = batch;
    this.channels = channels;
    this.classes = classes;
    this.samples = samples;
    this.dropout = dropout;
    this.smoothing = smoothing;
    this.mode = mode;
    this.layer = layer;
    this.seed = seed;
    this.step = step;
  }

  double factor(int sample, int element) {
    return PhiloxReference.uniform(seed, element, sample, step, layer) >= dropout
        ? 1 / (1 - (double) dropout)
        : 0;
  }

  /** Logits (samples, batch, classes). */
  double[] logits(double[] pooled, double[] weights, double[] bias) {
    double[] logits = new double[samples * batch * classes];
    for (int m = 0; m < samples; m++) {
      for (int n = 0; n < batch; n++) {
        for (int k = 0; k < classes; k++) {
          double sum = bias[k];
          for (int c = 0; c < channels; c++) {
            double kept = pooled[n * channels + c] * factor(m, n * channels + c);
            sum += kept * weights[k * channels + c];
          }
          logits[(m * batch + n) * classes + k] = sum;
        }
      }
    }
    return logits;
  }

  /** Loss of one row of logits; adds its gradient, times {@code scale}, to {@code diff}. */
  private double crossEntropy(
      double[] logits, int at, int label, double scale, double[] diff, int diffAt) {
    double max = Double.NEGATIVE_INFINITY;
    for (int k = 0; k < classes; k++) {
      max = Math.max(max, logits[at + k]);
    }
    double sum = 0;
    for (int k = 0; k < classes; k++) {
      sum += Math.exp(logits[at + k] - max);
    }
    double loss = 0;
    for (int k = 0; k < classes; k++) {
      double target = (k == label ? 1 - smoothing : 0) + smoothing / classes;
      double logProbability = logits[at + k] - max - Math.log(sum);
      loss -= target * logProbability;
      diff[diffAt + k] += scale * (Math.exp(logProbability) - target);
    }
    return loss;
  }

  /** Losses, correctness and the gradient of the logits. */
  void forward(double[] pooled, double[] weights, double[] bias, int[] labels) {
    double[] logits = logits(pooled, weights, bias);
    double[] mean = new double[batch * classes];
    for (int i = 0; i < logits.length; i++) {
      mean[i % mean.length] += logits[i] / samples;
    }
    int counted = 0;
    for (int label : labels) {
      counted += label >= 0 ? 1 : 0;
    }
    boolean averageLogits = mode == SampleMode.AVERAGE_LOGITS;
    int sets = averageLogits ? 1 : samples;
    losses = new double[batch];
    correct = new int[batch];
    diffLogits = new double[sets * batch * classes];
    for (int n = 0; n < batch; n++) {
      if (labels[n] < 0) {
        continue;
      }
      for (int m = 0; m < sets; m++) {
        int at = (m * batch + n) * classes;
        losses[n] +=
            crossEntropy(
                    averageLogits ? mean : logits,
                    at,
                    labels[n],
                    1.0 / sets / counted,
                    diffLogits,
                    at)
                / sets;
      }
      int best = 0;
      for (int k = 1; k < classes; k++) {
        best = mean[n * classes + k] > mean[n * classes + best] ? k : best;
      }
      correct[n] = best == labels[n] ? 1 : 0;
    }
  }

  /** Gradients of pooled, weights and bias. */
  double[][] backward(double[] pooled, double[] weights) {
    double[] diffPooled = new double[batch * channels];
    double[] diffWeights = new double[classes * channels];
    double[] diffBias = new double[classes];
    boolean averageLogits = mode == SampleMode.AVERAGE_LOGITS;
    for (int m = 0; m < samples; m++) {
      for (int n = 0; n < batch; n++) {
        for (int k = 0; k < classes; k++) {
          int row = averageLogits ? n : m * batch + n;
          double d = diffLogits[row * classes + k] / (averageLogits ? samples : 1);
          diffBias[k] += d;
          for (int c = 0; c < channels; c++) {
            double factor = factor(m, n * channels + c);
            diffPooled[n * channels + c] += d * weights[k * channels + c] * factor;
            diffWeights[k * channels + c] += d * pooled[n * channels + c] * factor;
          }
        }
      }
    }
    return new double[][] {diffPooled, diffWeights, diffBias};
  }
}
