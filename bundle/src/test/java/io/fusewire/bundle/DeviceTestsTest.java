// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.platform.engine.discovery.DiscoverySelectors;

/** JUnit tests are run on the chosen device alone, and counted. */
final class DeviceTestsTest {
  private static final List<String> RAN = new ArrayList<>();

  /** Tests as the modules have them; not found by a build, for it is no file's class. */
  static final class Samples {
    static List<Device> devices() {
      return List.of(Device.cpu(), Device.metered());
    }

    static List<Arguments> devicesAndTypes() {
      return List.of(
          Arguments.of(Device.metered(), DType.F32), Arguments.of(Device.cpu(), DType.F16));
    }

    @ParameterizedTest
    @MethodSource("devices")
    void onEachDevice(Device device) {
      RAN.add(device.name());
    }

    @ParameterizedTest
    @MethodSource("devicesAndTypes")
    void withTypes(Device device, DType dtype) {
      RAN.add(device.name() + " " + dtype);
    }

    @Test
    void onNone() {
      RAN.add("none");
    }

    @Test
    void failing() {
      throw new IllegalStateException("on purpose");
    }

    @Test
    @Tag("oracle")
    void besideLibtorch() {
      RAN.add("oracle");
    }
  }

  @Test
  void onlyTheChosenDeviceIsTested() {
    StringWriter text = new StringWriter();
    var outcome =
        DeviceTests.run(
            List.of(DiscoverySelectors.selectClass(Samples.class)),
            Device.cpu(),
            ".*",
            new PrintWriter(text, true));
    assertEquals(List.of("cpu", "cpu F16", "none"), RAN.stream().sorted().toList());
    assertEquals(new DeviceTests.Outcome(3, 1, 0), outcome);
    assertTrue(text.toString().contains("tests: FAILED failing()"), text.toString());
    assertTrue(text.toString().contains("on purpose"), text.toString());
  }
}
