// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class DeviceTest {
  @Test
  void theCpuIsFirstAndAlwaysThere() {
    Device cpu = Device.all().get(0);
    assertSame(cpu, Device.cpu());
    assertEquals(Device.Kind.CPU, cpu.kind());
    assertEquals("cpu", cpu.name());
    assertFalse(cpu.description().isBlank());
    assertFalse(cpu.level().isBlank());
    assertTrue(cpu.processors() >= 1);
    assertTrue(cpu.totalMemory() > 0);
    assertTrue(cpu.freeMemory() > 0 && cpu.freeMemory() <= cpu.totalMemory());
    assertEquals(0, cpu.computeCapability());
  }

  @Test
  void everyDeviceIsFoundByItsName() {
    for (Device device : Device.all()) {
      assertSame(device, Device.of(device.name()));
    }
  }

  @Test
  void bestIsCudaWhereThereIsOne() {
    boolean cuda = Device.all().stream().anyMatch(d -> d.kind() == Device.Kind.CUDA);
    assertEquals(cuda ? Device.Kind.CUDA : Device.Kind.CPU, Device.best().kind());
    assertEquals(cuda, Device.cudaUnavailableReason().isEmpty());
    assertSame(Device.best(), Device.of("best"));
  }

  @Test
  void anUnknownDeviceListsThoseThereAre() {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> Device.of("tpu"));
    assertTrue(e.getMessage().contains("\"tpu\""), e.getMessage());
    assertTrue(e.getMessage().contains("cpu"), e.getMessage());
    e = assertThrows(IllegalArgumentException.class, () -> Device.of("cuda:99"));
    assertTrue(e.getMessage().contains("cuda:99"), e.getMessage());
    assertTrue(e.getMessage().contains(Device.cudaUnavailableReason()), e.getMessage());
    assertThrows(IllegalArgumentException.class, () -> Device.of(null));
  }

  @Test
  void theLibraryTellsWhatItIs() {
    assertFalse(Device.libraryVersion().isBlank());
    assertFalse(Device.libraryBuildInfo().isBlank());
    assertTrue(Device.cudaDriverVersion() >= 0);
  }
}
