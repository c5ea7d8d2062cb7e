// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/** A device reported an error, possibly of an earlier operation of the same stream. */
public final class DeviceException extends FusewireException {
  private static final long serialVersionUID = 1L;

  DeviceException(String message) {
    super(message);
  }
}
