// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/** What was asked for is valid, but this build or this device cannot do it. */
public final class UnsupportedException extends FusewireException {
  private static final long serialVersionUID = 1L;

  UnsupportedException(String message) {
    super(message);
  }
}
