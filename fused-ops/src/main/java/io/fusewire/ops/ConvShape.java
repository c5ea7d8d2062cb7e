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
        new ConvAxis(
                "Height", inHeight, kernelHeight, strideHeight, dilationHeight, padTop, padBottom)
            .out(NAME);
    long width =
        new ConvAxis("Width", inWidth, kernelWidth, strideWidth, dilationWidth, padLeft, padRight)
            .out(NAME);
    Checks.product(NAME, "source", 4, Math.max(batch, 1), inHeight, inWidth, inChannels);
    Checks.product(NAME, "result", 4, Math.max(batch, 1), height, width, outChannels);
    Checks.product(NAME, "weights", 4, kernelHeight, kernelWidth, inChannels, outChannels);
  }

  private ConvShape(
      long batch, long inChannels, long outChannels, ConvAxis rows, ConvAxis columns) {
    this(
        batch,
        rows.in(),
        columns.in(),
        inChannels,
        outChannels,
        rows.kernel(),
        columns.kernel(),
        rows.stride(),
        columns.stride(),
        rows.dilation(),
        columns.dilation(),
        rows.before(),
        rows.after(),
        columns.before(),
        columns.after());
  }

  private ConvAxis rows() {
    return new ConvAxis(
        "Height", inHeight, kernelHeight, strideHeight, dilationHeight, padTop, padBottom);
  }

  private ConvAxis columns() {
    return new ConvAxis(
        "Width", inWidth, kernelWidth, strideWidth, dilationWidth, padLeft, padRight);
  }

  private ConvShape with(ConvAxis rows, ConvAxis columns) {
    return new ConvShape(batch, inChannels, outChannels, rows, columns);
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
    return of(batch, inHeight, inWidth, inChannels, outChannels, kernel, stride)
        .withPadding(kernel / 2, kernel / 2, kernel / 2, kernel / 2);
  }

  private static ConvShape of(
      long batch, long height, long width, long in, long out, long kernel, long stride) {
    Checks.positive(NAME, "kernel", kernel);
    // Padding that surely leaves a result; the caller replaces it.
    return new ConvShape(
        batch,
        in,
        out,
        new ConvAxis("Height", height, kernel, stride, 1, kernel, kernel),
        new ConvAxis("Width", width, kernel, stride, 1, kernel, kernel));
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
    return with(rows().pad(top, bottom), columns().pad(left, right));
  }

  /**
   * This size with TensorFlow's SAME padding for its kernel, stride and dilation.
   *
   * @return a new size
   */
  public ConvShape withSamePadding() {
    return with(rows().padSame(), columns().padSame());
  }

  /**
   * This size with other dilation; the padding stays as it is.
   *
   * @param height rows between filter taps
   * @param width columns between filter taps
   * @return a new size
   */
  public ConvShape withDilation(long height, long width) {
    return with(rows().dilate(height), columns().dilate(width));
  }

  /**
   * This size with another number of images.
   *
   * @param images the batch
   * @return a new size
   */
  public ConvShape withBatch(long images) {
    return new ConvShape(images, inChannels, outChannels, rows(), columns());
  }

  /**
   * Rows of the result.
   *
   * @return at least 1
   */
  public long outHeight() {
    return rows().out(NAME);
  }

  /**
   * Columns of the result.
   *
   * @return at least 1
   */
  public long outWidth() {
    return columns().out(NAME);
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
