// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.ConvProblem;

/**
 * Size of a 2-D convolution (cross-correlation), in elements and pixels. Sizes out of range, an
 * empty result, or a tensor of more than 2^63-1 bytes are an {@link IllegalArgumentException}. The
 * source is (batch, inHeight, inWidth, inChannels) and the result (batch, outHeight, outWidth,
 * outChannels), with per axis
 *
 * <pre>out = (in + padBefore + padAfter - dilation*(kernel-1) - 1) / stride + 1</pre>
 *
 * @param batch images, 0 allowed
 * @param inHeight rows of the source
 * @param inWidth columns of the source
 * @param inChannels channels of the source
 * @param outChannels channels of the result; a depthwise convolution has as many as the source
 * @param kernelHeight rows of the filter
 * @param kernelWidth columns of the filter
 * @param strideHeight rows between results
 * @param strideWidth columns between results
 * @param dilationHeight rows between filter taps
 * @param dilationWidth columns between filter taps
 * @param padTop rows of zeros above
 * @param padBottom rows of zeros below
 * @param padLeft columns of zeros to the left
 * @param padRight columns of zeros to the right
 */
public record ConvShape(
    long batch,
    long inHeight,
    long inWidth,
    long inChannels,
    long outChannels,
    long kernelHeight,
    long kernelWidth,
    long strideHeight,
    long strideWidth,
    long dilationHeight,
    long dilationWidth,
    long padTop,
    long padBottom,
    long padLeft,
    long padRight) {

  private static final String NAME = "ConvShape";

  /**
   * Checks the values.
   *
   * @param batch images, 0 allowed
   * @param inHeight rows of the source
   * @param inWidth columns of the source
   * @param inChannels channels of the source
   * @param outChannels channels of the result; a depthwise convolution has as many as the source
   * @param kernelHeight rows of the filter
   * @param kernelWidth columns of the filter
   * @param strideHeight rows between results
   * @param strideWidth columns between results
   * @param dilationHeight rows between filter taps
   * @param dilationWidth columns between filter taps
   * @param padTop rows of zeros above
   * @param padBottom rows of zeros below
   * @param padLeft columns of zeros to the left
   * @param padRight columns of zeros to the right
   * @throws IllegalArgumentException if one is out of range
   */
  public ConvShape {
    Checks.notNegative(NAME, "batch", batch);
    Checks.positive(NAME, "inHeight", inHeight);
    Checks.positive(NAME, "inWidth", inWidth);
    Checks.positive(NAME, "inChannels", inChannels);
    Checks.positive(NAME, "outChannels", outChannels);
    Checks.positive(NAME, "kernelHeight", kernelHeight);
    Checks.positive(NAME, "kernelWidth", kernelWidth);
    Checks.positive(NAME, "strideHeight", strideHeight);
    Checks.positive(NAME, "strideWidth", strideWidth);
    Checks.positive(NAME, "dilationHeight", dilationHeight);
    Checks.positive(NAME, "dilationWidth", dilationWidth);
    Checks.notNegative(NAME, "padTop", padTop);
    Checks.notNegative(NAME, "padBottom", padBottom);
    Checks.notNegative(NAME, "padLeft", padLeft);
    Checks.notNegative(NAME, "padRight", padRight);
    long height =
        out("Height", inHeight, padTop, padBottom, kernelHeight, strideHeight, dilationHeight);
    long width = out("Width", inWidth, padLeft, padRight, kernelWidth, strideWidth, dilationWidth);
    Checks.product(NAME, "source", 4, Math.max(batch, 1), inHeight, inWidth, inChannels);
    Checks.product(NAME, "result", 4, Math.max(batch, 1), height, width, outChannels);
    Checks.product(NAME, "weights", 4, kernelHeight, kernelWidth, inChannels, outChannels);
  }

  private static long out(
      String axis, long in, long before, long after, long kernel, long stride, long dilation) {
    long reach;
    long padded;
    try {
      reach = Math.addExact(Math.multiplyExact(dilation, kernel - 1), 1);
      padded = Math.addExact(Math.addExact(in, before), after);
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          NAME
              + ": in"
              + axis
              + " "
              + in
              + ", padding "
              + before
              + " and "
              + after
              + ", kernel "
              + kernel
              + ", dilation "
              + dilation
              + " exceed 2^63-1",
          e);
    }
    if (padded < reach) {
      throw new IllegalArgumentException(
          NAME
              + ": the filter reaches over "
              + reach
              + " pixels but in"
              + axis
              + " with padding has "
              + padded
              + "; the result would be empty");
    }
    return (padded - reach) / stride + 1;
  }

  /**
   * TensorFlow's SAME padding: the result has ceil(in/stride) pixels per axis, and where the
   * padding is odd the larger half comes after.
   *
   * @param batch images
   * @param inHeight rows of the source
   * @param inWidth columns of the source
   * @param inChannels channels of the source
   * @param outChannels channels of the result
   * @param kernel rows and columns of the filter
   * @param stride rows and columns between results
   * @return the size, with dilation 1
   */
  public static ConvShape same(
      long batch,
      long inHeight,
      long inWidth,
      long inChannels,
      long outChannels,
      long kernel,
      long stride) {
    return of(batch, inHeight, inWidth, inChannels, outChannels, kernel, stride).withSamePadding();
  }

  /**
   * Symmetric padding of kernel/2 (rounded down) on every side, as PyTorch's ports use.
   *
   * @param batch images
   * @param inHeight rows of the source
   * @param inWidth columns of the source
   * @param inChannels channels of the source
   * @param outChannels channels of the result
   * @param kernel rows and columns of the filter
   * @param stride rows and columns between results
   * @return the size, with dilation 1
   */
  public static ConvShape symmetric(
      long batch,
      long inHeight,
      long inWidth,
      long inChannels,
      long outChannels,
      long kernel,
      long stride) {
    long pad = kernel / 2;
    return new ConvShape(
        batch,
        inHeight,
        inWidth,
        inChannels,
        outChannels,
        kernel,
        kernel,
        stride,
        stride,
        1,
        1,
        pad,
        pad,
        pad,
        pad);
  }

  private static ConvShape of(
      long batch, long height, long width, long in, long out, long kernel, long stride) {
    Checks.positive(NAME, "kernel", kernel);
    // Padding that surely leaves a result; the caller replaces it.
    return new ConvShape(
        batch, height, width, in, out, kernel, kernel, stride, stride, 1, 1, kernel, kernel, kernel,
        kernel);
  }

  /**
   * This size with other padding.
   *
   * @param top rows above
   * @param bottom rows below
   * @param left columns to the left
   * @param right columns to the right
   * @return a new size
   */
  public ConvShape withPadding(long top, long bottom, long left, long right) {
    return new ConvShape(
        batch,
        inHeight,
        inWidth,
        inChannels,
        outChannels,
        kernelHeight,
        kernelWidth,
        strideHeight,
        strideWidth,
        dilationHeight,
        dilationWidth,
        top,
        bottom,
        left,
        right);
  }

  /**
   * This size with TensorFlow's SAME padding for its kernel, stride and dilation.
   *
   * @return a new size
   */
  public ConvShape withSamePadding() {
    long rows = samePadding(inHeight, kernelHeight, strideHeight, dilationHeight);
    long columns = samePadding(inWidth, kernelWidth, strideWidth, dilationWidth);
    return withPadding(rows / 2, rows - rows / 2, columns / 2, columns - columns / 2);
  }

  private static long samePadding(long in, long kernel, long stride, long dilation) {
    long out = (in - 1) / stride + 1;
    return Math.max(0, (out - 1) * stride + dilation * (kernel - 1) + 1 - in);
  }

  /**
   * This size with other dilation; the padding stays as it is.
   *
   * @param height rows between filter taps
   * @param width columns between filter taps
   * @return a new size
   */
  public ConvShape withDilation(long height, long width) {
    return new ConvShape(
        batch,
        inHeight,
        inWidth,
        inChannels,
        outChannels,
        kernelHeight,
        kernelWidth,
        strideHeight,
        strideWidth,
        height,
        width,
        padTop,
        padBottom,
        padLeft,
        padRight);
  }

  /**
   * This size with another number of images.
   *
   * @param images the batch
   * @return a new size
   */
  public ConvShape withBatch(long images) {
    return new ConvShape(
        images,
        inHeight,
        inWidth,
        inChannels,
        outChannels,
        kernelHeight,
        kernelWidth,
        strideHeight,
        strideWidth,
        dilationHeight,
        dilationWidth,
        padTop,
        padBottom,
        padLeft,
        padRight);
  }

  /**
   * Rows of the result.
   *
   * @return at least 1
   */
  public long outHeight() {
    return (inHeight + padTop + padBottom - dilationHeight * (kernelHeight - 1) - 1) / strideHeight
        + 1;
  }

  /**
   * Columns of the result.
   *
   * @return at least 1
   */
  public long outWidth() {
    return (inWidth + padLeft + padRight - dilationWidth * (kernelWidth - 1) - 1) / strideWidth + 1;
  }

  ConvProblem problem(DType dtype, Activation activation) {
    return Struct.allocate(ConvProblem.class, ConvProblem::new)
        .dtype(dtype.code())
        .activation(activation.code())
        .batch(batch)
        .in_height(inHeight)
        .in_width(inWidth)
        .in_channels(inChannels)
        .out_channels(outChannels)
        .kernel_height(kernelHeight)
        .kernel_width(kernelWidth)
        .stride_height(strideHeight)
        .stride_width(strideWidth)
        .dilation_height(dilationHeight)
        .dilation_width(dilationWidth)
        .pad_top(padTop)
        .pad_bottom(padBottom)
        .pad_left(padLeft)
        .pad_right(padRight);
  }
}
