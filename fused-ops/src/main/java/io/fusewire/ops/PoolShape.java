// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/**
 * Size of a pooling over windows, in pixels. The source is (batch, inHeight, inWidth, channels) and
 * the result (batch, outHeight, outWidth, channels), with per axis
 *
 * <pre>out = (in + padBefore + padAfter - kernel) / stride + 1</pre>
 *
 * Every padding is smaller than the kernel, so that each window has a pixel.
 *
 * @param batch images, 0 allowed
 * @param inHeight rows of the source
 * @param inWidth columns of the source
 * @param channels channels of source and result
 * @param kernelHeight rows of a window, 1 to 4096
 * @param kernelWidth columns of a window, 1 to 4096
 * @param strideHeight rows between windows
 * @param strideWidth columns between windows
 * @param padTop rows that windows reach over the upper edge
 * @param padBottom rows that they reach over the lower edge
 * @param padLeft columns that they reach over the left edge
 * @param padRight columns that they reach over the right edge
 */
public record PoolShape(
    long batch,
    long inHeight,
    long inWidth,
    long channels,
    long kernelHeight,
    long kernelWidth,
    long strideHeight,
    long strideWidth,
    long padTop,
    long padBottom,
    long padLeft,
    long padRight) {
  private static final String NAME = "PoolShape";
  private static final long MOST_KERNEL = 4096;

  /**
   * Checks the values.
   *
   * @param batch images, 0 allowed
   * @param inHeight rows of the source
   * @param inWidth columns of the source
   * @param channels channels of source and result
   * @param kernelHeight rows of a window, 1 to 4096
   * @param kernelWidth columns of a window, 1 to 4096
   * @param strideHeight rows between windows
   * @param strideWidth columns between windows
   * @param padTop rows that windows reach over the upper edge
   * @param padBottom rows that they reach over the lower edge
   * @param padLeft columns that they reach over the left edge
   * @param padRight columns that they reach over the right edge
   * @throws IllegalArgumentException if a value is out of range, the result would be empty or a
   *     tensor has more than 2^63-1 bytes
   */
  public PoolShape {
    Checks.notNegative(NAME, "batch", batch);
    Checks.positive(NAME, "inHeight", inHeight);
    Checks.positive(NAME, "inWidth", inWidth);
    Checks.positive(NAME, "channels", channels);
    Checks.positive(NAME, "strideHeight", strideHeight);
    Checks.positive(NAME, "strideWidth", strideWidth);
    kernel("kernelHeight", kernelHeight);
    kernel("kernelWidth", kernelWidth);
    padding("padTop", padTop, kernelHeight);
    padding("padBottom", padBottom, kernelHeight);
    padding("padLeft", padLeft, kernelWidth);
    padding("padRight", padRight, kernelWidth);
    long height =
        new ConvAxis("Height", inHeight, kernelHeight, strideHeight, 1, padTop, padBottom)
            .out(NAME);
    long width =
        new ConvAxis("Width", inWidth, kernelWidth, strideWidth, 1, padLeft, padRight).out(NAME);
    Checks.product(NAME, "source", 4, Math.max(batch, 1), inHeight, inWidth, channels);
    Checks.product(NAME, "result", 4, Math.max(batch, 1), height, width, channels);
  }

  private static void kernel(String name, long value) {
    Checks.positive(NAME, name, value);
    if (value > MOST_KERNEL) {
      throw new IllegalArgumentException(
          NAME + ": " + name + " is " + value + ", at most " + MOST_KERNEL + " fits");
    }
  }

  private static void padding(String name, long value, long kernel) {
    Checks.notNegative(NAME, name, value);
    if (value >= kernel) {
      throw new IllegalArgumentException(
          NAME + ": " + name + " is " + value + ", less than the kernel's " + kernel + " fits");
    }
  }

  /**
   * The same padding on every side.
   *
   * @param batch images
   * @param inHeight rows of the source
   * @param inWidth columns of the source
   * @param channels channels
   * @param kernel rows and columns of a window
   * @param stride rows and columns between windows
   * @param padding pixels that windows reach over each edge
   * @return the size
   */
  public static PoolShape symmetric(
      long batch,
      long inHeight,
      long inWidth,
      long channels,
      long kernel,
      long stride,
      long padding) {
    return new PoolShape(
        batch, inHeight, inWidth, channels, kernel, kernel, stride, stride, padding, padding,
        padding, padding);
  }

  /**
   * No padding, and a last window that reaches over the lower or right edge where pixels are left:
   * PyTorch's ceil_mode, as a residual network's shortcut has it (arXiv 1812.01187).
   *
   * @param batch images
   * @param inHeight rows of the source
   * @param inWidth columns of the source
   * @param channels channels
   * @param kernel rows and columns of a window
   * @param stride rows and columns between windows
   * @return the size
   */
  public static PoolShape ceil(
      long batch, long inHeight, long inWidth, long channels, long kernel, long stride) {
    return new PoolShape(
        batch,
        inHeight,
        inWidth,
        channels,
        kernel,
        kernel,
        stride,
        stride,
        0,
        left(inHeight, kernel, stride),
        0,
        left(inWidth, kernel, stride));
  }

  /** Pixels that the last window is short of. */
  private static long left(long in, long kernel, long stride) {
    Checks.positive(NAME, "stride", stride);
    if (in <= kernel) {
      return Math.max(0, kernel - in);
    }
    long rest = (in - kernel) % stride;
    long missing = rest == 0 ? 0 : stride - rest;
    // A window must begin inside.
    return missing < kernel ? missing : 0;
  }

  /**
   * Rows of the result.
   *
   * @return at least 1
   */
  public long outHeight() {
    return (inHeight + padTop + padBottom - kernelHeight) / strideHeight + 1;
  }

  /**
   * Columns of the result.
   *
   * @return at least 1
   */
  public long outWidth() {
    return (inWidth + padLeft + padRight - kernelWidth) / strideWidth + 1;
  }
}
