// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

/** The labels of a run's curve. */
final class CurvePlotTest {
  @Test
  void onlyTheEndsOfEpochsAreLabelled() {
    assertEquals("0", CurvePlot.epoch(0));
    assertEquals("3", CurvePlot.epoch(3));
    assertEquals("3", CurvePlot.epoch(3 - 1e-9));
    assertEquals("", CurvePlot.epoch(1.0 / 6));
    assertEquals("", CurvePlot.epoch(1.5));
  }
}
