// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;

/** Moves and sets a tensor's bytes on its device, without the host. */
final class DeviceCopy {
  private DeviceCopy() {}

  static void copy(Tensor tensor, Stream stream, Tensor source) {
    String operation = "Tensor.copyFrom";
    long handle = Checks.stream(operation, stream);
    long to = Checks.tensor(operation, "the destination", tensor, stream, tensor.dtype());
    long from = Checks.tensor(operation, "the source", source, stream, tensor.dtype());
    if (source.elements() != tensor.elements()) {
      throw new IllegalArgumentException(
          operation
              + ": "
              + source.elements()
              + " elements given, "
              + tensor.elements()
              + " fit "
              + tensor);
    }
    Checks.sameOrDisjoint(operation, "the destination", tensor, "the source", source);
    if (to != from && tensor.elements() > 0) {
      Status.check(Fusewire.fw_copy(handle, to, from, tensor.bytes()));
    }
    Checks.reachable(tensor, stream, source, null);
  }

  static void fill(Tensor tensor, Stream stream, int value) {
    String operation = "Tensor.fill";
    long handle = Checks.stream(operation, stream);
    long address = Checks.tensor(operation, "the tensor", tensor, stream, tensor.dtype());
    if (value < 0 || value > 255) {
      throw new IllegalArgumentException(operation + ": value is " + value + ", 0 to 255 fit");
    }
    if (tensor.elements() > 0) {
      Status.check(Fusewire.fw_fill(handle, address, (byte) value, tensor.bytes()));
    }
    Checks.reachable(tensor, stream, null, null);
  }
}
