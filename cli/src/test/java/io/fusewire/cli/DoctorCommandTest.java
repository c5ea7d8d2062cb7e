// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.ops.Device;
import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class DoctorCommandTest {
  @Test
  void namesEveryDeviceAndWhatIsMissing() {
    CommandRun run = CommandRun.of("doctor");
    assertEquals(0, run.code(), run.err());
    for (Device device : Device.all()) {
      assertTrue(run.out().contains(device.name()), run.out());
      assertTrue(run.out().contains(device.level()), run.out());
    }
    String missing = Device.cudaUnavailableReason();
    assertTrue(run.out().contains(missing.isEmpty() ? "Nothing is missing" : missing), run.out());
    assertTrue(run.out().contains(Device.libraryVersion()), run.out());
  }

  @Test
  void jsonIsOneObject() throws IOException {
    CommandRun run = CommandRun.of("doctor", "--json");
    Map<String, Object> doctor = run.json();
    assertEquals(1, run.out().lines().count());
    assertEquals(Device.libraryVersion(), doctor.get("library"));
    assertEquals(Device.libraryBuildInfo(), doctor.get("build"));
    assertNotNull(doctor.get("missing"));
  }
}
