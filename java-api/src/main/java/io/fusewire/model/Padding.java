// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

/**
 * How a convolution's input is padded; the ports of EfficientNet differ in this alone at stride 2.
 */
public enum Padding {
  /**
   * TensorFlow's SAME: output size is {@code ceil(input / stride)}; what padding that needs is
   * split in half, the odd pixel going after. At stride 2 on even sizes this is asymmetric: nothing
   * before, one after.
   */
  SAME,
  /** {@code kernel / 2} on every side, as timm's {@code efficientnet_b*} and torchvision do. */
  SYMMETRIC;

  /**
   * Padding before the first pixel along one axis.
   *
   * @param size input size in pixels
   * @param kernel kernel size in pixels
   * @param stride stride in pixels
   * @return pixels added before
   */
  public long before(long size, long kernel, long stride) {
    return this == SAME ? total(size, kernel, stride) / 2 : kernel / 2;
  }

  /**
   * Padding after the last pixel along one axis.
   *
   * @param size input size in pixels
   * @param kernel kernel size in pixels
   * @param stride stride in pixels
   * @return pixels added after
   */
  public long after(long size, long kernel, long stride) {
    if (this == SYMMETRIC) {
      return kernel / 2;
    }
    long total = total(size, kernel, stride);
    return total - total / 2;
  }

  /**
   * Output size along one axis.
   *
   * @param size input size in pixels
   * @param kernel kernel size in pixels
   * @param stride stride in pixels
   * @return output size in pixels
   */
  public long output(long size, long kernel, long stride) {
    return (size + before(size, kernel, stride) + after(size, kernel, stride) - kernel) / stride
        + 1;
  }

  private static long total(long size, long kernel, long stride) {
    long out = (size + stride - 1) / stride;
    return Math.max((out - 1) * stride + kernel - size, 0);
  }
}
