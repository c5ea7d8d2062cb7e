// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;

/** Turns what a native call returned into nothing or an exception with the library's message. */
final class Status {
  private Status() {}

  static void check(int status) {
    if (status != Fusewire.FW_OK) {
      throw exception(status, Fusewire.fw_last_error().getString());
    }
  }

  private static RuntimeException exception(int status, String message) {
    return switch (status) {
      case Fusewire.FW_INVALID_ARGUMENT -> new IllegalArgumentException(message);
      case Fusewire.FW_UNSUPPORTED -> new UnsupportedException(message);
      case Fusewire.FW_OUT_OF_MEMORY -> new DeviceMemoryException(message);
      case Fusewire.FW_DEVICE_UNAVAILABLE -> new DeviceUnavailableException(message);
      case Fusewire.FW_DEVICE_ERROR -> new DeviceException(message);
      case Fusewire.FW_DEVICE_LOST -> new DeviceLostException(message);
      default -> new FusewireException(message + " (status " + status + ")");
    };
  }
}
