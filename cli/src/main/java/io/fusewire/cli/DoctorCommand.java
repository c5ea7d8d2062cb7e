// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.fusewire.ops.Device;
import io.fusewire.ops.DeviceUnavailableException;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Says what this machine offers, what is missing, and the one thing to do about it. */
@Command(
    name = "doctor",
    description = {
      "Shows devices, driver and native library, what is missing and what to do about it.",
      "Fails where nothing can compute; a machine without a GPU is fine."
    })
final class DoctorCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(names = "--json", description = "Print one JSON object instead.")
  private boolean json;

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    Findings findings;
    try {
      findings = Findings.here();
    } catch (DeviceUnavailableException e) {
      findings = Findings.withoutLibrary(e.getMessage());
    }
    if (json) {
      out.println(JsonLine.of(findings::write));
    } else {
      findings.print(out);
    }
    return findings.devices().isEmpty() ? 1 : 0;
  }

  /** What was found; library is null where it does not load, missing is "" where nothing is. */
  private record Findings(
      String library, String build, int driver, List<Device> devices, String missing) {

    static Findings here() {
      return new Findings(
          Device.libraryVersion(),
          Device.libraryBuildInfo(),
          Device.cudaDriverVersion(),
          Device.all(),
          Device.cudaUnavailableReason());
    }

    static Findings withoutLibrary(String reason) {
      return new Findings(null, null, 0, List.of(), reason);
    }

    private static String java() {
      return System.getProperty("java.version") + ", " + System.getProperty("java.home");
    }

    private static String system() {
      return String.join(
          " ",
          System.getProperty("os.name"),
          System.getProperty("os.version"),
          System.getProperty("os.arch"));
    }

    /** CUDA's version of the driver, such as "13.0"; null without a driver. */
    private String driverVersion() {
      return driver == 0 ? null : driver / 1000 + "." + driver % 1000 / 10;
    }

    void print(PrintWriter out) {
      out.println("fusewire        " + Version.text());
      out.println("java            " + java());
      out.println("system          " + system());
      out.println("native library  " + (library == null ? "does not load" : library));
      if (build != null) {
        out.println("built with      " + build);
      }
      out.println("nvidia driver   " + (driver == 0 ? "none" : "supports CUDA " + driverVersion()));
      if (!devices.isEmpty()) {
        out.println();
        table(devices).print(out);
      }
      out.println();
      out.println(missing.isEmpty() ? "Nothing is missing." : "Missing: " + missing);
    }

    private static Table table(List<Device> devices) {
      Table table = new Table("device", "name", ">units", "level", ">memory", ">free");
      for (Device device : devices) {
        table.row(
            device.name(),
            device.description(),
            String.valueOf(device.processors()),
            level(device),
            Quantities.bytes(device.totalMemory()),
            Quantities.bytes(device.freeMemory()));
      }
      return table;
    }

    private static String level(Device device) {
      int capability = device.computeCapability();
      return capability == 0
          ? device.level()
          : Quantities.format(
              "%s (compute capability %d.%d)", device.level(), capability / 10, capability % 10);
    }

    void write(JsonGenerator json) throws IOException {
      json.writeStartObject();
      json.writeStringField("fusewire", Version.text());
      json.writeStringField("java", System.getProperty("java.version"));
      json.writeStringField("system", system());
      json.writeStringField("library", library);
      json.writeStringField("build", build);
      json.writeStringField("driver", driverVersion());
      json.writeArrayFieldStart("devices");
      for (Device device : devices) {
        json.writeStartObject();
        json.writeStringField("device", device.name());
        json.writeStringField("name", device.description());
        json.writeNumberField("processors", device.processors());
        json.writeStringField("level", device.level());
        json.writeNumberField("compute_capability", device.computeCapability());
        json.writeNumberField("total_memory", device.totalMemory());
        json.writeNumberField("free_memory", device.freeMemory());
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeStringField("missing", missing);
      json.writeEndObject();
    }
  }
}
