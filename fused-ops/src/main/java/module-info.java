// SPDX-License-Identifier: Apache-2.0

/** Devices, streams, tensors and one class per operation: what other JVM frameworks embed. */
module io.fusewire.ops {
  requires io.fusewire.binding;

  exports io.fusewire.ops;
}
