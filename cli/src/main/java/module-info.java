// SPDX-License-Identifier: Apache-2.0

/** The {@code fusewire} command. */
module io.fusewire.cli {
  requires com.fasterxml.jackson.core;
  requires info.picocli;
  requires io.fusewire;
  requires io.fusewire.weights;
  requires me.tongfei.progressbar;

  opens io.fusewire.cli to
      info.picocli;
}
