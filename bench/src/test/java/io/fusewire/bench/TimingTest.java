// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class TimingTest {
  @Test
  void percentilesLieBetweenRuns() {
    Timing timing = Timing.of(new double[] {5, 1, 4, 2, 3, 6});
    assertEquals(3.5, timing.median());
    assertEquals(2, timing.low());
    assertEquals(5, timing.high());
    assertEquals(6, timing.runs());
    assertEquals(new Timing(1.75, 1, 2.5, 6), timing.dividedBy(2));
  }

  @Test
  void oneRunIsItsOwnMedian() {
    assertEquals(new Timing(7, 7, 7, 1), Timing.of(new double[] {7}));
  }

  @Test
  void contendersTakeTurns() throws Exception {
    List<String> order = new ArrayList<>();
    List<Timing> timings =
        new Rounds(1, 2, 0).measure(List.of(() -> order.add("a"), () -> order.add("b")));
    assertEquals(List.of("a", "b", "a", "b", "a", "b"), order);
    assertEquals(2, timings.size());
    assertEquals(2, timings.get(0).runs());
  }
}
