// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/**
 * A device failed in such a way that this process cannot use it any more; what was in its memory is
 * gone. The message names the operations in question. Everything on the device can still be closed.
 */
public final class DeviceLostException extends FusewireException {
  private static final long serialVersionUID = 1L;

  DeviceLostException(String message) {
    super(message);
  }
}
