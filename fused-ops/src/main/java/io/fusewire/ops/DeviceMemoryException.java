// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/** A device has not as much free memory as was asked for; nothing was allocated. */
public final class DeviceMemoryException extends FusewireException {
  private static final long serialVersionUID = 1L;

  DeviceMemoryException(String message) {
    super(message);
  }
}
