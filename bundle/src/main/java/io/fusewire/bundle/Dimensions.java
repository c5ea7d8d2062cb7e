// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.ops.ConvShape;
import io.fusewire.ops.PoolShape;
import java.util.List;

/**
 * Sizes that every operation is run with. Shapes are written with a letter for each extent, such as
 * {@code NHWC}: see {@link #extent}.
 *
 * @param name part of the names of cases
 * @param batch images
 * @param height of the source
 * @param width of the source
 * @param inChannels of the source, and of depthwise convolutions
 * @param outChannels of products
 * @param kernel side of a convolution's kernel
 * @param stride of a convolution
 * @param squeezed channels of squeeze-and-excite's hidden layer
 * @param classes of the head
 */
record Dimensions(
    String name,
    long batch,
    long height,
    long width,
    long inChannels,
    long outChannels,
    long kernel,
    long stride,
    long squeezed,
    long classes) {

  /** The head's dropout samples. */
  static final long SAMPLES = 3;

  /** A dense convolution with more channels is in no EfficientNet. */
  private static final long DENSE_CHANNELS = 24;

  /** Few blocks and threads: quick even where every access is watched. */
  static final Dimensions TINY = new Dimensions("tiny", 2, 5, 6, 8, 16, 3, 2, 4, 6);

  /** Nothing divides anything. */
  static final Dimensions ODD = new Dimensions("odd", 3, 9, 7, 13, 37, 5, 1, 3, 11);

  /** B0's stage 4: the depthwise convolution of its blocks and their projection. */
  static final Dimensions LAYER = new Dimensions("layer", 2, 14, 14, 672, 112, 5, 1, 28, 1000);

  static List<Dimensions> all() {
    return List.of(TINY, ODD, LAYER);
  }

  long pixels() {
    return height * width;
  }

  long outHeight() {
    return (height + stride - 1) / stride;
  }

  long outWidth() {
    return (width + stride - 1) / stride;
  }

  long denseChannels() {
    return Math.min(inChannels, DENSE_CHANNELS);
  }

  ConvShape depthwise() {
    return ConvShape.same(batch, height, width, inChannels, inChannels, kernel, stride);
  }

  /** A depthwise convolution of what an expansion makes of the source. */
  ConvShape expandedDepthwise() {
    return ConvShape.same(batch, height, width, outChannels, outChannels, kernel, stride);
  }

  ConvShape dense() {
    return ConvShape.same(batch, height, width, denseChannels(), outChannels, kernel, stride);
  }

  /** Windows as the depthwise convolution has them. */
  PoolShape pool() {
    ConvShape c = depthwise();
    return new PoolShape(
        batch,
        height,
        width,
        inChannels,
        kernel,
        kernel,
        stride,
        stride,
        c.padTop(),
        c.padBottom(),
        c.padLeft(),
        c.padRight());
  }

  /** The extents that a word of letters stands for. */
  long[] shape(String letters) {
    return letters.chars().mapToLong(c -> extent((char) c)).toArray();
  }

  private long extent(char letter) {
    return switch (letter) {
      case 'N' -> batch;
      case 'H' -> height;
      case 'W' -> width;
      case 'P' -> outHeight();
      case 'Q' -> outWidth();
      case 'X' -> pixels();
      case 'Z' -> batch * pixels();
      case 'C' -> inChannels;
      case 'D' -> denseChannels();
      case 'K' -> outChannels;
      case 'R' -> kernel;
      case 'S' -> squeezed;
      case 'L' -> classes;
      case 'M' -> SAMPLES;
      default -> Character.digit(letter, 10);
    };
  }
}
