// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/** Squeeze-and-excite in double precision. */
final class SqueezeExciteReference {
  final int batch;
  final int pixels;
  final int channels;
  final int squeezed;
  final Activation activation;
  final Gate gateFunction;
  double[] pooled;
  double[] hidden;
  double[] gate;

  SqueezeExciteReference(
      int batch, int pixels, int channels, int squeezed, Activation activation, Gate gate) {
    this.batch = batch;
    this.pixels = pixels;
    this.channels = channels;
    this.squeezed = squeezed;
    this.activation = activation;
    this.gateFunction = gate;
  }

  /**
   * weights: reduce (squeezed, channels), reduce bias, expand (channels, squeezed), expand bias.
   */
  double[] forward(double[] src, double[][] weights) {
    pooled = new double[batch * channels];
    hidden = new double[batch * squeezed];
    gate = new double[batch * channels];
    for (int i = 0; i < src.length; i++) {
      pooled[i / (pixels * channels) * channels + i % channels] += src[i] / pixels;
    }
    for (int n = 0; n < batch; n++) {
      for (int s = 0; s < squeezed; s++) {
        double sum = weights[1][s];
        for (int c = 0; c < channels; c++) {
          sum += weights[0][s * channels + c] * pooled[n * channels + c];
        }
        hidden[n * squeezed + s] = sum;
      }
      for (int c = 0; c < channels; c++) {
        double sum = weights[3][c];
        for (int s = 0; s < squeezed; s++) {
          sum +=
              weights[2][c * squeezed + s]
                  * ActivationReference.apply(activation, hidden[n * squeezed + s]);
        }
        gate[n * channels + c] = ActivationReference.apply(gateFunction, sum);
      }
    }
    double[] dst = new double[src.length];
    for (int i = 0; i < src.length; i++) {
      dst[i] = src[i] * gate[i / (pixels * channels) * channels + i % channels];
    }
    return dst;
  }

  /** Gradients of src, reduce weights and bias, expand weights and bias. */
  double[][] backward(double[] src, double[] diffDst, double[][] weights) {
    double[] diffGate = new double[batch * channels];
    for (int i = 0; i < src.length; i++) {
      diffGate[i / (pixels * channels) * channels + i % channels] += src[i] * diffDst[i];
    }
    double[][] diff = new double[5][];
    diff[1] = new double[squeezed * channels];
    diff[2] = new double[squeezed];
    diff[3] = new double[channels * squeezed];
    diff[4] = new double[channels];
    double[] diffPooled = new double[batch * channels];
    for (int n = 0; n < batch; n++) {
      double[] diffHidden = new double[squeezed];
      for (int c = 0; c < channels; c++) {
        int at = n * channels + c;
        double d = diffGate[at] * ActivationReference.slopeFromValue(gateFunction, gate[at]);
        diff[4][c] += d;
        for (int s = 0; s < squeezed; s++) {
          double h = hidden[n * squeezed + s];
          diff[3][c * squeezed + s] += d * ActivationReference.apply(activation, h);
          diffHidden[s] += d * weights[2][c * squeezed + s];
        }
      }
      for (int s = 0; s < squeezed; s++) {
        double d = diffHidden[s] * ActivationReference.slope(activation, hidden[n * squeezed + s]);
        diff[2][s] += d;
        for (int c = 0; c < channels; c++) {
          diff[1][s * channels + c] += d * pooled[n * channels + c];
          diffPooled[n * channels + c] += d * weights[0][s * channels + c];
        }
      }
    }
    diff[0] = new double[src.length];
    for (int i = 0; i < src.length; i++) {
      int at = i / (pixels * channels) * channels + i % channels;
      diff[0][i] = diffDst[i] * gate[at] + diffPooled[at] / pixels;
    }
    return diff;
  }
}
