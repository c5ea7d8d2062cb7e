// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import io.fusewire.model.Padding;
import io.fusewire.ops.ConvShape;
import java.util.List;
import java.util.Locale;

/**
 * A layer's shape, as the problem file lists it. Its name ends in the layer's label, such as {@code
 * b4:stage3/dw}.
 *
 * @param name unique in the file
 * @param layer what it is
 * @param height rows of the input image
 * @param width columns of the input image
 * @param inChannels channels of the input
 * @param outChannels channels of the output; of squeeze-and-excite, the width of its hidden layer
 * @param kernel rows and columns of the filter
 * @param stride in pixels
 * @param layers how many layers of the network have this shape
 */
public record Problem(
    String name,
    Layer layer,
    int height,
    int width,
    int inChannels,
    int outChannels,
    int kernel,
    int stride,
    int layers) {

  /**
   * Refuses what no layer can be.
   *
   * @param name unique in the file
   * @param layer what it is
   * @param height rows of the input image
   * @param width columns of the input image
   * @param inChannels channels of the input
   * @param outChannels channels of the output; of squeeze-and-excite, the width of its hidden layer
   * @param kernel rows and columns of the filter
   * @param stride in pixels
   * @param layers how many layers of the network have this shape
   */
  public Problem {
    if (!name.matches("[a-z0-9]+:([a-z0-9.]+/)?" + layer.label())) {
      throw new IllegalArgumentException(
          "'" + name + "' is no name of a layer " + layer.label() + " such as b4:stage3/dw");
    }
    for (int size : List.of(height, width, inChannels, outChannels, kernel, stride, layers)) {
      if (size < 1) {
        throw new IllegalArgumentException(name + ": no size may be " + size);
      }
    }
    if (layer == Layer.DEPTHWISE && inChannels != outChannels) {
      throw new IllegalArgumentException(
          name + ": a depthwise convolution of " + inChannels + " channels gives as many");
    }
  }

  /**
   * The network it belongs to.
   *
   * @return such as {@code b4}
   */
  public String model() {
    return name.substring(0, name.indexOf(':'));
  }

  /**
   * The layer as a convolution.
   *
   * @param batch images
   * @param padding how it pads; the sizes are the same either way
   * @return its shape
   */
  public ConvShape convolution(long batch, Padding padding) {
    return padding == Padding.SAME
        ? ConvShape.same(batch, height, width, inChannels, outChannels, kernel, stride)
        : ConvShape.symmetric(batch, height, width, inChannels, outChannels, kernel, stride);
  }

  /**
   * The same layer of smaller images.
   *
   * @param most rows and columns at most
   * @return this, or a problem of that many rows and columns
   */
  public Problem cropped(int most) {
    return new Problem(
        name,
        layer,
        Math.min(height, most),
        Math.min(width, most),
        inChannels,
        outChannels,
        kernel,
        stride,
        layers);
  }

  /**
   * Whether a pattern means this problem: its name, the beginning of its name up to a colon, a
   * slash or a dot, and {@code *} for any characters. So {@code b4}, {@code b4:stage3} and {@code
   * b4:*}{@code /dw} all mean {@code b4:stage3/dw}, and the last two {@code b4:stage3.0/dw} too.
   *
   * @param pattern in any case
   * @return true if it does
   */
  public boolean matches(String pattern) {
    StringBuilder regex = new StringBuilder();
    for (String part : pattern.toLowerCase(Locale.ROOT).split("\\*", -1)) {
      regex.append(regex.isEmpty() ? "" : ".*").append("\\Q").append(part).append("\\E");
    }
    return name.matches(regex + "([:/.].*)?");
  }
}
