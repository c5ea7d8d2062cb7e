// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Architecture;
import io.fusewire.model.Parameter;
import java.util.Arrays;

/** Convolution weights with the BatchNorm after them folded in, computed in double. */
final class FoldedWeights {
  private final Architecture net;
  private final float[] values;

  /** A convolution's folded weights in the kernels' layout, and its bias. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Layer(float[] weights, float[] bias) {}

  FoldedWeights(Architecture net, float[] values) {
    if (values.length != net.parameters().elements()) {
      throw new IllegalArgumentException(
          "%s has %d parameters, %d were given"
              .formatted(net, net.parameters().elements(), values.length));
    }
    this.net = net;
    this.values = values;
  }

  /** A parameter as it is. */
  float[] plain(String name) {
    Parameter parameter = net.parameters().get(name);
    int from = Math.toIntExact(parameter.offset());
    return Arrays.copyOfRange(values, from, from + Math.toIntExact(parameter.count()));
  }

  /**
   * y = gamma*(w.x - mean)/sqrt(var+eps) + beta is (w*f).x + (beta - mean*f) with f =
   * gamma/sqrt(var+eps).
   */
  Layer fold(String conv, String norm) {
    Parameter parameter = net.parameters().get(conv + ".weight");
    float[] weights = plain(conv + ".weight");
    float[] gamma = plain(norm + ".weight");
    float[] beta = plain(norm + ".bias");
    float[] mean = plain(norm + ".running_mean");
    float[] variance = plain(norm + ".running_var");
    int channels = gamma.length;
    // In the kernels' layouts the output channel is the slowest axis, but the fastest of a
    // depthwise convolution.
    boolean last = parameter.kind() == Parameter.Kind.DEPTHWISE;
    int perChannel = weights.length / channels;
    float[] bias = new float[channels];
    for (int k = 0; k < channels; k++) {
      double factor = gamma[k] / Math.sqrt(variance[k] + net.batchNormEpsilon());
      bias[k] = (float) (beta[k] - mean[k] * factor);
      for (int i = 0; i < perChannel; i++) {
        int at = last ? i * channels + k : k * perChannel + i;
        weights[at] = (float) (weights[at] * factor);
      }
    }
    return new Layer(weights, bias);
  }
}
