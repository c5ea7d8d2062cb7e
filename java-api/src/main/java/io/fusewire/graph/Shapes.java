// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Architecture;
import io.fusewire.model.ConvNorm;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DType;
import io.fusewire.ops.PoolShape;

/** Sizes of what a network's layers read and write. */
final class Shapes {
  private static final int STEM_KERNEL = 3;
  private static final int STRIDE = 2;

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

  /** A place for what pooling writes. */
  static Value output(String name, DType dtype, PoolShape shape) {
    return new Value(
        name, dtype, shape.batch(), shape.outHeight(), shape.outWidth(), shape.channels());
  }

  /** The maximum after a ResNet's stem. */
  static PoolShape stemPool(Value src) {
    return PoolShape.symmetric(
        src.size(0), src.size(1), src.size(2), src.size(3), STEM_KERNEL, STRIDE, STEM_KERNEL / 2);
  }

  /** The mean before a shortcut's convolution. */
  static PoolShape shortcutPool(Value src) {
    return PoolShape.ceil(src.size(0), src.size(1), src.size(2), src.size(3), STRIDE, STRIDE);
  }

  /** A place for what a convolution writes. */
  static Value output(String name, DType dtype, ConvShape shape) {
    return new Value(
        name, dtype, shape.batch(), shape.outHeight(), shape.outWidth(), shape.outChannels());
  }
}
