// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/**
 * Convolutions in double precision, written as their definitions: nested loops and nothing else. A
 * pointwise convolution is the dense one with one pixel per image.
 */
record ConvReference(ConvShape shape, boolean depthwise) {

  int srcSize() {
    return Math.toIntExact(shape.batch() * shape.inHeight() * shape.inWidth() * shape.inChannels());
  }

  int dstSize() {
    return Math.toIntExact(
        shape.batch() * shape.outHeight() * shape.outWidth() * shape.outChannels());
  }

  int weightsSize() {
    long taps = shape.kernelHeight() * shape.kernelWidth();
    return Math.toIntExact(taps * shape.outChannels() * (depthwise ? 1 : shape.inChannels()));
  }

  /** Visits every product of the convolution: indices into src, weights and dst. */
  private interface Product {
    void visit(int src, int weights, int dst);
  }

  private void products(Product product) {
    int channels = (int) shape.inChannels();
    int outputs = (int) shape.outChannels();
    int dst = 0;
    for (int n = 0; n < shape.batch(); n++) {
      for (int p = 0; p < shape.outHeight(); p++) {
        for (int q = 0; q < shape.outWidth(); q++) {
          for (int k = 0; k < outputs; k++, dst++) {
            for (int r = 0; r < shape.kernelHeight(); r++) {
              long y = p * shape.strideHeight() - shape.padTop() + r * shape.dilationHeight();
              for (int s = 0; s < shape.kernelWidth(); s++) {
                long x = q * shape.strideWidth() - shape.padLeft() + s * shape.dilationWidth();
                if (y < 0 || y >= shape.inHeight() || x < 0 || x >= shape.inWidth()) {
                  continue;
                }
                int src = (int) (((n * shape.inHeight() + y) * shape.inWidth() + x) * channels);
                int tap = (int) (r * shape.kernelWidth() + s);
                if (depthwise) {
                  product.visit(src + k, tap * channels + k, dst);
                } else {
                  long taps = shape.kernelHeight() * shape.kernelWidth();
                  int weights = (int) ((k * taps + tap) * channels);
                  for (int c = 0; c < channels; c++) {
                    product.visit(src + c, weights + c, dst);
                  }
                }
              }
            }
          }
        }
      }
    }
  }

  /** The result before the activation. */
  double[] forward(double[] src, double[] weights, double[] bias) {
    double[] dst = new double[dstSize()];
    for (int i = 0; i < dst.length && bias != null; i++) {
      dst[i] = bias[i % bias.length];
    }
    products((s, w, d) -> dst[d] += src[s] * weights[w]);
    return dst;
  }

  double[] backwardData(double[] diffDst, double[] weights) {
    double[] diffSrc = new double[srcSize()];
    products((s, w, d) -> diffSrc[s] += diffDst[d] * weights[w]);
    return diffSrc;
  }

  double[] backwardWeights(double[] src, double[] diffDst) {
    double[] diffWeights = new double[weightsSize()];
    products((s, w, d) -> diffWeights[w] += src[s] * diffDst[d]);
    return diffWeights;
  }

  double[] backwardBias(double[] diffDst) {
    double[] diffBias = new double[(int) shape.outChannels()];
    for (int i = 0; i < diffDst.length; i++) {
      diffBias[i % diffBias.length] += diffDst[i];
    }
    return diffBias;
  }
}
