// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/**
 * What the native library refuses or fails at, other than a wrong argument (that is an {@link
 * IllegalArgumentException}) or a closed object (an {@link IllegalStateException}). The message is
 * the library's own.
 */
public class FusewireException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * Creates one.
   *
   * @param message what happened
   */
  public FusewireException(String message) {
    super(message);
  }

  /**
   * Creates one with a cause.
   *
   * @param message what happened
   * @param cause why
   */
  public FusewireException(String message, Throwable cause) {
    super(message, cause);
  }
}
