// SPDX-License-Identifier: Apache-2.0

/** The {@code fusewire} command. */
module io.fusewire.cli {
  requires io.fusewire;
}
