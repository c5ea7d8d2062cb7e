// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/** Batch normalisation with activation in double precision, two passes. */
final class BatchNormReference {
  final int rows;
  final int channels;
  final double[] mean;
  final double[] variance;
  final double[] invStd;
  private final double[] src;
  private final Activation activation;

  BatchNormReference(double[] src, int channels, double epsilon, Activation activation) {
    this.src = src;
    this.activation = activation;
    this.channels = channels;
    this.rows = src.length / channels;
    this.mean = new double[channels];
    this.variance = new double[channels];
    this.invStd = new double[channels];
    for (int i = 0; i < src.length; i++) {
      mean[i % channels] += src[i] / rows;
    }
    for (int i = 0; i < src.length; i++) {
      double d = src[i] - mean[i % channels];
      variance[i % channels] += d * d / rows;
    }
    for (int c = 0; c < channels; c++) {
      invStd[c] = 1 / Math.sqrt(variance[c] + epsilon);
    }
  }

  private double normal(int i) {
    return (src[i] - mean[i % channels]) * invStd[i % channels];
  }

  /** The normalised value before the activation. */
  double[] raw(double[] gamma, double[] beta) {
    double[] raw = new double[src.length];
    for (int i = 0; i < raw.length; i++) {
      raw[i] = gamma[i % channels] * normal(i) + beta[i % channels];
    }
    return raw;
  }

  double[] forward(double[] gamma, double[] beta) {
    return ActivationReference.apply(activation, raw(gamma, beta));
  }

  /** Gradients of gamma (0), beta (1) and src (2). */
  double[][] backward(double[] gamma, double[] beta, double[] diffDst) {
    double[] inner = ActivationReference.backward(activation, raw(gamma, beta), diffDst);
    double[] diffGamma = new double[channels];
    double[] diffBeta = new double[channels];
    for (int i = 0; i < src.length; i++) {
      diffGamma[i % channels] += inner[i] * normal(i);
      diffBeta[i % channels] += inner[i];
    }
    double[] diffSrc = new double[src.length];
    for (int i = 0; i < src.length; i++) {
      int c = i % channels;
      diffSrc[i] =
          gamma[c] * invStd[c] * (inner[i] - diffBeta[c] / rows - normal(i) * diffGamma[c] / rows);
    }
    return new double[][] {diffGamma, diffBeta, diffSrc};
  }
}
