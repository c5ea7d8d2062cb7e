// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

/** Contenders do not compute the same, so that their times are not comparable. */
final class DifferentResults extends IllegalStateException {
  private static final long serialVersionUID = 1;

  DifferentResults(String message) {
    super(message);
  }
}
