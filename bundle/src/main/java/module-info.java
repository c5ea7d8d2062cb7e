// SPDX-License-Identifier: Apache-2.0

/** What a bundle has besides the product: the tests of a device, with golden results. */
module io.fusewire.bundle {
  requires info.picocli;
  requires io.fusewire;
  requires java.logging;
  requires org.junit.jupiter.api;
  requires org.junit.platform.engine;
  requires org.junit.platform.launcher;

  opens io.fusewire.bundle to
      info.picocli;
}
