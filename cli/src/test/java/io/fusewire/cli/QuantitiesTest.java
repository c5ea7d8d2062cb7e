// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

final class QuantitiesTest {
  @Test
  void epochsHaveTheirPlural() {
    assertEquals("1 epoch", Quantities.epochs(1));
    assertEquals("1,200 epochs", Quantities.epochs(1200));
  }

  @Test
  void bytes() {
    assertEquals("0 B", Quantities.bytes(0));
    assertEquals("1,023 B", Quantities.bytes(1023));
    assertEquals("1.0 KiB", Quantities.bytes(1024));
    assertEquals("13.5 MiB", Quantities.bytes(13.5 * 1024 * 1024));
    assertEquals("2,048.0 TiB", Quantities.bytes(Math.pow(1024, 5) * 2));
  }

  @Test
  void durations() {
    assertEquals("0 s", Quantities.duration(0.2));
    assertEquals("1 min 0 s", Quantities.duration(59.7));
    assertEquals("4 min 12 s", Quantities.duration(252));
    assertEquals("2 h 5 min", Quantities.duration(2 * 3600 + 5 * 60 + 3));
    assertEquals("?", Quantities.duration(Double.NaN));
    assertEquals("?", Quantities.duration(-1));
  }

  @Test
  void percents() {
    assertEquals("91.23 %", Quantities.percent(0.91234));
    assertEquals("?", Quantities.percent(Double.NaN));
  }
}
