// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import io.fusewire.ops.Activation;
import java.util.Objects;

/**
 * A convolution without bias, the BatchNorm after it and the activation after that: what every
 * network here is made of. Kernels are square.
 *
 * @param conv name of the convolution, without {@code .weight}
 * @param norm name of the BatchNorm, without {@code .weight}
 * @param kind how the convolution joins channels
 * @param kernel kernel size in pixels
 * @param stride stride in pixels
 * @param inChannels channels it reads
 * @param outChannels channels it writes
 * @param activation after the BatchNorm
 */
public record ConvNorm(
    String conv,
    String norm,
    Kind kind,
    int kernel,
    int stride,
    int inChannels,
    int outChannels,
    Activation activation) {

  /** How a convolution joins channels. */
  public enum Kind {
    /** Every output channel sees every input channel and several pixels, or skips pixels. */
    DENSE,
    /** Every output channel sees one input channel. */
    DEPTHWISE,
    /** 1x1 with stride 1: every output channel sees every input channel of its own pixel. */
    POINTWISE
  }

  /**
   * Refuses what does not go together.
   *
   * @param conv name of the convolution, without {@code .weight}
   * @param norm name of the BatchNorm, without {@code .weight}
   * @param kind how the convolution joins channels
   * @param kernel kernel size in pixels
   * @param stride stride in pixels
   * @param inChannels channels it reads
   * @param outChannels channels it writes
   * @param activation after the BatchNorm
   */
  public ConvNorm {
    Objects.requireNonNull(activation, "activation");
    if (kind == Kind.POINTWISE && (kernel != 1 || stride != 1)) {
      throw new IllegalArgumentException(conv + ": a pointwise convolution is 1x1 with stride 1");
    }
    if (kind == Kind.DEPTHWISE && inChannels != outChannels) {
      throw new IllegalArgumentException(conv + ": a depthwise convolution keeps the channels");
    }
  }

  /** A dense convolution, which is a pointwise one where kernel and stride are 1. */
  static ConvNorm dense(
      String conv, String norm, int kernel, int stride, int in, int out, Activation activation) {
    Kind kind = kernel == 1 && stride == 1 ? Kind.POINTWISE : Kind.DENSE;
    return new ConvNorm(conv, norm, kind, kernel, stride, in, out, activation);
  }

  /** A depthwise convolution. */
  static ConvNorm depthwise(
      String conv, String norm, int kernel, int stride, int channels, Activation activation) {
    return new ConvNorm(conv, norm, Kind.DEPTHWISE, kernel, stride, channels, channels, activation);
  }

  /**
   * Number of weights of the convolution.
   *
   * @return without the BatchNorm's
   */
  public long weights() {
    long perChannel = kind == Kind.DEPTHWISE ? 1 : inChannels;
    return perChannel * outChannels * kernel * kernel;
  }
}
