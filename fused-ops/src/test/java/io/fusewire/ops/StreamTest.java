// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("unit")
class StreamTest {
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void aClosedStreamOrEventIsRefused(Device device) {
    Stream stream = Stream.open(device);
    Event event = Event.open(device);
    event.record(stream);
    stream.synchronize();
    stream.close();
    stream.close();
    IllegalStateException e = assertThrows(IllegalStateException.class, stream::synchronize);
    assertTrue(e.getMessage().contains("closed"), e.getMessage());
    assertThrows(IllegalStateException.class, () -> event.record(stream));
    event.close();
    event.close();
    assertThrows(IllegalStateException.class, event::synchronize);
    assertThrows(IllegalArgumentException.class, () -> Stream.open(null));
    assertThrows(IllegalArgumentException.class, () -> Event.open(null));
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void negativeThreadsAreRefused(Device device) {
    try (Stream stream = Stream.open(device)) {
      assertThrows(IllegalArgumentException.class, () -> stream.threads(-1));
      stream.threads(0).threads(1000);
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void workAfterAnEventSeesWorkBeforeIt(Device device) {
    int count = 1 << 20;
    try (Lab lab = new Lab(device);
        Stream other = Stream.open(device);
        Event start = Event.open(device);
        Event end = Event.open(device)) {
      Tensor a = lab.out(DType.F32, count);
      Tensor b = lab.out(DType.F32, count);
      start.record(lab.stream);
      Philox.uniform(lab.stream, 1, 2, 3, 4, a);
      end.record(lab.stream);
      other.waitFor(end);
      b.copyFrom(other, a);
      other.synchronize();
      assertArrayEquals(lab.read(a), lab.read(b));
      end.synchronize();
      assertTrue(start.millisecondsTo(end) >= 0);
    }
  }
}
