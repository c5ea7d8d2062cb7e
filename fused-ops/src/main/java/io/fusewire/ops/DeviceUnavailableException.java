// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/** A device, or the native library itself, that cannot be used here; the message says why. */
public final class DeviceUnavailableException extends FusewireException {
  private static final long serialVersionUID = 1L;

  DeviceUnavailableException(String message) {
    super(message);
  }

  DeviceUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }
}
