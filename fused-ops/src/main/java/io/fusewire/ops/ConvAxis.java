// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/** One of the two axes along which a convolution's filter moves, in pixels. */
record ConvAxis(
    String name, long in, long kernel, long stride, long dilation, long before, long after) {

  /** Pixels of the result; refuses an axis that has none. */
  long out(String operation) {
    long reach;
    long padded;
    try {
      reach = Math.addExact(Math.multiplyExact(dilation, kernel - 1), 1);
      padded = Math.addExact(Math.addExact(in, before), after);
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          operation
              + ": in"
              + name
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
          operation
              + ": the filter reaches over "
              + reach
              + " pixels but in"
              + name
              + " with padding has "
              + padded
              + "; the result would be empty");
    }
    return (padded - reach) / stride + 1;
  }

  /** The axis with a padding that gives ceil(in/stride) pixels; an odd one has more after. */
  ConvAxis padSame() {
    long result = (in - 1) / stride + 1;
    long padding = Math.max(0, (result - 1) * stride + dilation * (kernel - 1) + 1 - in);
    return pad(padding / 2, padding - padding / 2);
  }

  ConvAxis pad(long newBefore, long newAfter) {
    return new ConvAxis(name, in, kernel, stride, dilation, newBefore, newAfter);
  }

  ConvAxis dilate(long newDilation) {
    return new ConvAxis(name, in, kernel, stride, newDilation, before, after);
  }
}
