// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.binding.Fusewire;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A device that fails; in builds for tests the library fails it on purpose. */
@Tag("unit")
class DeviceLostTest {
  /** Those that a fault can be injected into: all, in a library that is built for tests. */
  static List<Device> devices() {
    boolean injects =
        Device.all().stream().anyMatch(device -> device.kind() == Device.Kind.CHECKED);
    return injects ? Device.all() : List.of();
  }

  @ParameterizedTest(allowZeroInvocations = true)
  @MethodSource("devices")
  void isToldByNameAndLeavesEverythingClosable(Device device) {
    Tensor tensor = Tensor.allocate(device, DType.F32, 100);
    Tensor other = Tensor.allocate(device, DType.F32, 100);
    PinnedMemory pinned = PinnedMemory.allocate(device, 400);
    Stream stream = Stream.open(device);
    Event event = Event.open(device);
    Graph graph = stream.capture("one step", () -> tensor.copyFrom(stream, other));
    try {
      other.fill(stream, 0);
      Status.check(Fusewire.fw_fault_inject(device.index(), "convert", 1));
      Convert.run(stream, other, tensor);
      DeviceLostException found =
          assertThrows(DeviceLostException.class, () -> tensor.toFloats(stream));
      assertTrue(
          found.getMessage().contains("one of the 2 operations")
              && found.getMessage().contains("(fill, convert)"),
          found.getMessage());
      List<Runnable> calls =
          List.of(
              stream::synchronize,
              () -> tensor.fill(stream, 1),
              () -> graph.launch(stream),
              () -> event.record(stream),
              event::synchronize,
              () -> tensor.copyFromAsync(stream, pinned),
              () -> stream.capture("more", () -> tensor.fill(stream, 0)),
              () -> Tensor.allocate(device, DType.F32, 1),
              () -> Stream.open(device),
              () -> Event.open(device),
              () -> PinnedMemory.allocate(device, 1),
              device::freeMemory);
      for (int i = 0; i < calls.size(); i++) {
        Runnable call = calls.get(i);
        DeviceLostException later = assertThrows(DeviceLostException.class, call::run, "call " + i);
        assertTrue(later.getMessage().contains("convert"), later.getMessage());
      }
    } finally {
      graph.close();
      event.close();
      stream.close();
      pinned.close();
      other.close();
      tensor.close();
      Status.check(Fusewire.fw_fault_clear(device.index()));
    }
    try (Lab lab = new Lab(device)) {
      assertArrayEquals(new double[3], lab.read(lab.in(DType.F32, new double[3], 3)));
    }
  }
}
