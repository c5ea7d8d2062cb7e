// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import java.util.Arrays;

/**
 * Sizes of a tensor's axes, the slowest first, whose bytes are known to fit into a long. The
 * questions an operation asks allocate nothing.
 */
final class Shape {
  private final long[] sizes;
  private final long elements;

  private Shape(long[] sizes, long elements) {
    this.sizes = sizes;
    this.elements = elements;
  }

  /** Checks sizes given by a user of {@code operation}, and copies them. */
  static Shape of(String operation, DType dtype, long... sizes) {
    Checks.notNull(operation, "shape", sizes);
    Checks.notNull(operation, "dtype", dtype);
    boolean empty = false;
    for (long size : sizes) {
      if (size < 0) {
        throw new IllegalArgumentException(
            operation + ": shape " + Arrays.toString(sizes) + " has a negative size");
      }
      empty |= size == 0;
    }
    return new Shape(sizes.clone(), empty ? 0 : elements(operation, dtype, sizes));
  }

  private static long elements(String operation, DType dtype, long[] sizes) {
    long bytes = dtype.bytes();
    for (long size : sizes) {
      if (Math.multiplyHigh(bytes, size) != 0 || bytes * size < 0) {
        throw new IllegalArgumentException(
            operation + ": " + dtype + " " + Arrays.toString(sizes) + " exceeds 2^63-1 bytes");
      }
      bytes *= size;
    }
    return bytes / dtype.bytes();
  }

  long elements() {
    return elements;
  }

  int rank() {
    return sizes.length;
  }

  long size(int axis) {
    return sizes[axis < 0 ? axis + sizes.length : axis];
  }

  long[] toArray() {
    return sizes.clone();
  }

  boolean is(long a) {
    return sizes.length == 1 && sizes[0] == a;
  }

  boolean is(long a, long b) {
    return sizes.length == 2 && sizes[0] == a && sizes[1] == b;
  }

  boolean is(long a, long b, long c) {
    return sizes.length == 3 && sizes[0] == a && sizes[1] == b && sizes[2] == c;
  }

  boolean is(long a, long b, long c, long d) {
    return sizes.length == 4 && sizes[0] == a && sizes[1] == b && sizes[2] == c && sizes[3] == d;
  }

  /** Whether the last axis has a size, and the axes before it together another. */
  boolean isRows(long rows, long last) {
    return sizes.length >= 1 && sizes[sizes.length - 1] == last && elements == rows * last;
  }

  @Override
  public String toString() {
    return Arrays.toString(sizes);
  }
}
