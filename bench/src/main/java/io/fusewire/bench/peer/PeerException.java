// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

/** A peer in another process cannot take part, or no longer; the message says why in one line. */
public final class PeerException extends Exception {
  private static final long serialVersionUID = 1;

  /**
   * Says why.
   *
   * @param message one line
   */
  public PeerException(String message) {
    super(message);
  }

  /**
   * Says why.
   *
   * @param message one line
   * @param cause what was caught
   */
  public PeerException(String message, Throwable cause) {
    super(message, cause);
  }
}
