// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import java.lang.ref.Reference;
import java.util.Arrays;

/**
 * Refuses wrong arguments with a message that names the operation, the argument, what was given and
 * what fits. The methods that operations call allocate nothing unless they throw; they return the
 * tensor's address.
 */
final class Checks {
  private Checks() {}

  static void notNull(String operation, String name, Object value) {
    if (value == null) {
      throw new IllegalArgumentException(operation + ": " + name + " is null");
    }
  }

  static void aligned(String operation, DType dtype, long address) {
    if (address % dtype.bytes() != 0) {
      throw new IllegalArgumentException(
          operation
              + ": address 0x"
              + Long.toHexString(address)
              + " is not a multiple of the "
              + dtype.bytes()
              + " bytes of "
              + dtype);
    }
  }

  static int arrayLength(String operation, Tensor tensor) {
    if (tensor.elements() > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(
          operation + ": " + tensor + " has more elements than an array can; copy it in slices");
    }
    return (int) tensor.elements();
  }

  static long positive(String operation, String name, long value) {
    if (value < 1) {
      throw new IllegalArgumentException(
          operation + ": " + name + " is " + value + ", at least 1 fits");
    }
    return value;
  }

  static long notNegative(String operation, String name, long value) {
    if (value < 0) {
      throw new IllegalArgumentException(
          operation + ": " + name + " is " + value + ", at least 0 fits");
    }
    return value;
  }

  /** A rate in [0, 1). */
  static float rate(String operation, String name, float value) {
    if (!(value >= 0 && value < 1)) {
      throw new IllegalArgumentException(
          operation + ": " + name + " is " + value + ", at least 0 and less than 1 fits");
    }
    return value;
  }

  static DType floating(String operation, DType dtype) {
    notNull(operation, "dtype", dtype);
    if (!dtype.isFloating()) {
      throw new IllegalArgumentException(
          operation + ": dtype is " + dtype + "; F32, BF16 and F16 fit");
    }
    return dtype;
  }

  /** Product of sizes, refused with a message when it exceeds 2^63-1. */
  static long product(String operation, String what, long... sizes) {
    long product = 1;
    for (long size : sizes) {
      if (Math.multiplyHigh(product, size) != 0 || product * size < 0) {
        throw new IllegalArgumentException(
            operation + ": " + what + " of sizes " + Arrays.toString(sizes) + " exceeds 2^63-1");
      }
      product *= size;
    }
    return product;
  }

  static long stream(String operation, Stream stream) {
    if (stream == null) {
      throw new IllegalArgumentException(operation + ": stream is null");
    }
    return stream.handle();
  }

  /** Checks everything but the shape. */
  static long tensor(String operation, String name, Tensor tensor, Stream stream, DType dtype) {
    if (tensor == null) {
      throw new IllegalArgumentException(operation + ": " + name + " is null");
    }
    if (tensor.device() != stream.device()) {
      throw new IllegalArgumentException(
          operation
              + ": "
              + name
              + " is on "
              + tensor.device()
              + " but the stream on "
              + stream.device());
    }
    if (tensor.dtype() != dtype) {
      throw new IllegalArgumentException(
          operation + ": " + name + " is " + tensor.dtype() + " but " + dtype + " fits");
    }
    if (tensor.isClosed()) {
      throw new IllegalStateException(operation + ": " + name + " is closed");
    }
    stream.uses(tensor);
    return tensor.address();
  }

  static long tensor(
      String operation, String name, Tensor tensor, Stream stream, DType dtype, long a) {
    long address = tensor(operation, name, tensor, stream, dtype);
    if (!tensor.sizes().is(a)) {
      throw shape(operation, name, tensor, a);
    }
    return address;
  }

  static long tensor(
      String operation, String name, Tensor tensor, Stream stream, DType dtype, long a, long b) {
    long address = tensor(operation, name, tensor, stream, dtype);
    if (!tensor.sizes().is(a, b)) {
      throw shape(operation, name, tensor, a, b);
    }
    return address;
  }

  static long tensor(
      String operation,
      String name,
      Tensor tensor,
      Stream stream,
      DType dtype,
      long a,
      long b,
      long c) {
    long address = tensor(operation, name, tensor, stream, dtype);
    if (!tensor.sizes().is(a, b, c)) {
      throw shape(operation, name, tensor, a, b, c);
    }
    return address;
  }

  static long tensor(
      String operation,
      String name,
      Tensor tensor,
      Stream stream,
      DType dtype,
      long a,
      long b,
      long c,
      long d) {
    long address = tensor(operation, name, tensor, stream, dtype);
    if (!tensor.sizes().is(a, b, c, d)) {
      throw shape(operation, name, tensor, a, b, c, d);
    }
    return address;
  }

  /**
   * For operations that only see (rows, last): any axes before the last whose product is {@code
   * rows}.
   */
  static long rows(
      String operation,
      String name,
      Tensor tensor,
      Stream stream,
      DType dtype,
      long rows,
      long last) {
    long address = tensor(operation, name, tensor, stream, dtype);
    if (!tensor.sizes().isRows(rows, last)) {
      throw new IllegalArgumentException(
          operation
              + ": "
              + name
              + " has shape "
              + tensor.sizes()
              + " but [..., "
              + last
              + "] with "
              + rows
              + " rows before the last axis fits");
    }
    return address;
  }

  /** (batch, pixels..., last) with any number of axes between whose product is {@code pixels}. */
  static long batchRows(
      String operation,
      String name,
      Tensor tensor,
      Stream stream,
      DType dtype,
      long batch,
      long pixels,
      long last) {
    long address = tensor(operation, name, tensor, stream, dtype);
    if (tensor.rank() < 2
        || tensor.size(0) != batch
        || !tensor.sizes().isRows(batch * pixels, last)) {
      throw new IllegalArgumentException(
          operation
              + ": "
              + name
              + " has shape "
              + tensor.sizes()
              + " but ["
              + batch
              + ", ..., "
              + last
              + "] with "
              + pixels
              + " pixels in between fits");
    }
    return address;
  }

  /** (batch, ...) with a number of elements per image. */
  static long images(
      String operation,
      String name,
      Tensor tensor,
      Stream stream,
      DType dtype,
      long batch,
      long elements) {
    long address = tensor(operation, name, tensor, stream, dtype);
    if (tensor.rank() < 1 || tensor.size(0) != batch || tensor.elements() != batch * elements) {
      throw new IllegalArgumentException(
          operation
              + ": "
              + name
              + " has shape "
              + tensor.sizes()
              + " but ["
              + batch
              + ", ...] with "
              + elements
              + " elements per image fits");
    }
    return address;
  }

  /** A vector that may be absent: address 0 for null. */
  static long optional(
      String operation, String name, Tensor tensor, Stream stream, DType dtype, long a) {
    return tensor == null ? 0 : tensor(operation, name, tensor, stream, dtype, a);
  }

  /** A table that may be absent: address 0 for null. */
  static long optional(
      String operation, String name, Tensor tensor, Stream stream, DType dtype, long a, long b) {
    return tensor == null ? 0 : tensor(operation, name, tensor, stream, dtype, a, b);
  }

  static long optionalRows(
      String operation,
      String name,
      Tensor tensor,
      Stream stream,
      DType dtype,
      long rows,
      long last) {
    return tensor == null ? 0 : rows(operation, name, tensor, stream, dtype, rows, last);
  }

  /** A workspace of any shape, or null; whether it is large enough is the library's to say. */
  static long workspace(String operation, Tensor workspace, Stream stream) {
    return workspace == null ? 0 : tensor(operation, "workspace", workspace, stream, DType.U8);
  }

  static long workspaceBytes(Tensor workspace) {
    return workspace == null ? 0 : workspace.bytes();
  }

  /** An output must not share memory with an input; null for an absent tensor. */
  static void disjoint(
      String operation, String name, Tensor output, String otherName, Tensor other) {
    if (output == null || other == null) {
      return;
    }
    long start = output.address();
    long otherStart = other.address();
    if (start < otherStart + other.bytes() && otherStart < start + output.bytes()) {
      throw new IllegalArgumentException(
          operation
              + ": "
              + name
              + " "
              + output
              + " shares memory with "
              + otherName
              + " "
              + other);
    }
  }

  /** As {@link #disjoint}, but exactly the same memory is allowed. */
  static void sameOrDisjoint(
      String operation, String name, Tensor output, String otherName, Tensor other) {
    if (output == null || other == null) {
      return;
    }
    if (output.address() != other.address() || output.bytes() != other.bytes()) {
      disjoint(operation, name, output, otherName, other);
    }
  }

  /**
   * Keeps tensors from being collected, and so freed, before a native call that only knows their
   * addresses has returned.
   */
  @SuppressWarnings("ReachabilityFenceUsage") // a native call does not throw
  static void reachable(Object a, Object b, Object c, Object d) {
    Reference.reachabilityFence(a);
    Reference.reachabilityFence(b);
    Reference.reachabilityFence(c);
    Reference.reachabilityFence(d);
  }

  private static IllegalArgumentException shape(
      String operation, String name, Tensor tensor, long... fits) {
    return new IllegalArgumentException(
        operation
            + ": "
            + name
            + " has shape "
            + tensor.sizes()
            + " but "
            + Arrays.toString(fits)
            + " fits");
  }
}
