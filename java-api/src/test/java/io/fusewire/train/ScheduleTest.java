// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ScheduleTest {
  @Test
  void oneCycleGoesUpAndDownWithMomentumTheOtherWay() {
    Schedule schedule = Schedule.ONE_CYCLE;
    assertEquals(0.04, schedule.learningRate(1, 0, 1000, 100, 50), 1e-9);
    assertEquals(1, schedule.learningRate(1, 300, 1000, 100, 50), 1e-9);
    assertEquals(0.52, schedule.learningRate(1, 150, 1000, 100, 50), 1e-9);
    assertTrue(schedule.learningRate(1, 999, 1000, 100, 50) < 2e-4);
    assertEquals(0.95, schedule.momentum(0.95, 0, 1000), 1e-9);
    assertEquals(0.85, schedule.momentum(0.95, 300, 1000), 1e-9);
    assertTrue(schedule.momentum(0.95, 999, 1000) > 0.9499);
    assertEquals(0.5, schedule.momentum(0.5, 300, 1000), "a low momentum stays");
  }

  @Test
  void cosineFallsAfterItsWarmUp() {
    assertEquals(1.0 / 51, Schedule.COSINE.learningRate(1, 0, 1000, 100, 50), 1e-9);
    assertEquals(1, Schedule.COSINE.learningRate(1, 50, 1000, 100, 50), 1e-9);
    assertEquals(0.5, Schedule.COSINE.learningRate(1, 525, 1000, 100, 50), 1e-9);
    assertEquals(0.9, Schedule.COSINE.momentum(0.9, 300, 1000));
  }

  @Test
  void exponentialFallsInStairsOfTheOfficialLength() {
    Schedule schedule = Schedule.EXPONENTIAL;
    assertEquals(1, schedule.learningRate(1, 239, 10_000, 100, 0), 1e-9);
    assertEquals(0.97, schedule.learningRate(1, 240, 10_000, 100, 0), 1e-9);
    assertEquals(0.97 * 0.97, schedule.learningRate(1, 480, 10_000, 100, 0), 1e-9);
  }

  @Test
  void constantIsConstantAfterItsWarmUp() {
    assertEquals(0.5, Schedule.CONSTANT.learningRate(1, 0, 10, 10, 1), 1e-9);
    assertEquals(1, Schedule.CONSTANT.learningRate(1, 9, 10, 10, 1), 1e-9);
  }

  @Test
  void namesAreFoundAsTyped() {
    assertEquals(Schedule.ONE_CYCLE, Schedule.byName("one-cycle"));
    assertEquals(Schedule.ONE_CYCLE, Schedule.byName("OneCycle"));
    assertEquals("one-cycle", Schedule.ONE_CYCLE.toString());
    String message =
        assertThrows(IllegalArgumentException.class, () -> OptimizerKind.byName("adam"))
            .getMessage();
    assertTrue(message.contains("sgd, rmsprop, adamw"), message);
  }
}
