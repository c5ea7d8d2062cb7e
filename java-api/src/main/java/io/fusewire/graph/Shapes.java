// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Architecture;
import io.fusewire.model.ConvNorm;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DType;

/** Sizes of what a network's layers read and write. */
final class Shapes {
  private Shapes() {}

  /** A convolution over images of a size, padded as the network pads. */
  static ConvShape conv(Architecture net, ConvNorm layer, long batch, long height, long width) {
    int in = layer.inChannels();
    int out = layer.outChannels();
    int kernel = layer.kernel();
    int stride = layer.stride();
    return switch (net.padding()) {
      case SAME -> ConvShape.same(batch, height, width, in, out, kernel, stride);
      case SYMMETRIC -> ConvShape.symmetric(batch, height, width, in, out, kernel, stride);
    };
  }

  /** A convolution over a value. */
  static ConvShape conv(Architecture net, ConvNorm layer, Value src) {
    if (src.size(3) != layer.inChannels()) {
      throw new IllegalArgumentException(
          "%s reads %d channels, not %s".formatted(layer.conv(), layer.inChannels(), src));
    }
    return conv(net, layer, src.size(0), src.size(1), src.size(2));
  }

  /** A place for what a convolution writes. */
  static Value output(String name, DType dtype, ConvShape shape) {
    return new Value(
        name, dtype, shape.batch(), shape.outHeight(), shape.outWidth(), shape.outChannels());
  }
}
