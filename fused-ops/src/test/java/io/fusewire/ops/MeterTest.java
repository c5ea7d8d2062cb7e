// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class MeterTest {
  @Test
  void theMeteredDeviceIsThereForThoseWhoAskForItOnly() {
    assertEquals(Device.Kind.METERED, Device.metered().kind());
    assertEquals("metered", Device.metered().name());
    assertFalse(Device.all().contains(Device.metered()));
    assertThrows(IllegalArgumentException.class, () -> Device.of("metered"));
  }

  @Test
  void countsWhatAnOperationMoves() {
    Device device = Device.metered();
    try (Stream stream = Stream.open(device);
        Tensor src = Tensor.allocate(device, DType.F32, 1000);
        Tensor dst = Tensor.allocate(device, DType.BF16, 1000)) {
      Meter meter = new Meter(stream);
      meter.watch(src, 0);
      meter.watch(dst, 1);
      Convert.run(stream, src.fill(stream, 0), dst);
      assertEquals(new Meter.Traffic(4000, 4000, 4000, 4000), meter.read(0));
      assertEquals(new Meter.Traffic(0, 2016, 0, 2000), meter.read(1));
      assertEquals(2, meter.launches());
      assertEquals(0, meter.unwatchedBytes());
      assertEquals(new Meter.Traffic(4000, 6016, 4000, 6000), meter.read(0).plus(meter.read(1)));
      assertEquals(10016, meter.read(0).plus(meter.read(1)).bytes());
      assertEquals(10000, meter.read(0).plus(meter.read(1)).requestedBytes());

      meter.reset();
      src.fill(stream, 1);
      assertEquals(1, meter.launches());
      assertEquals(4000, meter.unwatchedBytes());
      assertThrows(IllegalArgumentException.class, () -> meter.read(0));
    }
  }

  @Test
  void refusesWhatCannotBeWatched() {
    Device device = Device.metered();
    try (Stream stream = Stream.open(device);
        Tensor tensor = Tensor.allocate(device, DType.F32, 64)) {
      Meter meter = new Meter(stream);
      meter.watch(tensor, 0);
      IllegalArgumentException e =
          assertThrows(
              IllegalArgumentException.class, () -> meter.watch(tensor.slice(128, DType.U8, 1), 1));
      assertTrue(e.getMessage().contains("watched already"), e.getMessage());
      assertThrows(IllegalArgumentException.class, () -> meter.watch(null, 1));
      meter.reset();
      assertThrows(IllegalArgumentException.class, () -> meter.watch(tensor, -1));
      meter.watch(tensor.slice(0, DType.F32, 0), 1);
    }
    try (Stream stream = Stream.open(Device.cpu())) {
      UnsupportedException e = assertThrows(UnsupportedException.class, () -> new Meter(stream));
      assertTrue(e.getMessage().contains("only the metered device"), e.getMessage());
    }
    assertThrows(IllegalArgumentException.class, () -> new Meter(null));
  }
}
