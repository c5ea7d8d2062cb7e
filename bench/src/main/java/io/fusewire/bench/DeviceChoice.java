// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** Options that say where something is measured, in which type, and by which clock. */
final class DeviceChoice {
  private static final String EVENTS = "events";
  private static final String WALL = "wall";

  @Option(
      names = "--device",
      paramLabel = "NAME",
      defaultValue = "cpu",
      description = "cpu, cuda, cuda:N or best (default: ${DEFAULT-VALUE}).")
  private String device;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      defaultValue = "f32",
      description = "Storage of activations: f32, bf16 or f16 (default: ${DEFAULT-VALUE}).")
  private String dtype;

  @Option(
      names = "--allow-tf32",
      description = {
        "Products of f32 on a GPU's tensor cores, as TF32, ours and those of --peer pytorch."
      })
  private boolean allowTf32;

  @Option(
      names = "--clock",
      paramLabel = "NAME",
      description = {
        "events: the device's clock, CUDA events on a GPU; wall: the host's clock, until all is",
        "done (default: events on a GPU, wall on the CPU)."
      })
  private String clock;

  /** The device; refuses what there is not, and what does not belong to users. */
  Device device(CommandSpec command) {
    checkClock(command);
    try {
      return Device.of(device.toLowerCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      throw new ParameterException(command.commandLine(), "--device: " + e.getMessage(), e);
    }
  }

  /** The storage type; refuses what there is not. */
  DType dtype(CommandSpec command) {
    return Arrays.stream(DType.values())
        .filter(type -> type.isFloating() && type.name().equalsIgnoreCase(dtype))
        .findFirst()
        .orElseThrow(
            () ->
                new ParameterException(
                    command.commandLine(),
                    "--dtype is '"
                        + dtype
                        + "'; "
                        + Arrays.stream(DType.values())
                            .filter(DType::isFloating)
                            .map(type -> type.name().toLowerCase(Locale.ROOT))
                            .collect(Collectors.joining(", "))
                        + " fit"));
  }

  /** The same stream, with TF32 allowed if that was asked for. */
  Stream set(Stream stream) {
    return stream.allowTf32(allowTf32);
  }

  /** What products on a stream are made in, for a case's name. */
  static String typeName(Stream stream, DType dtype) {
    return dtype == DType.F32 && stream.tf32Allowed()
        ? "tf32"
        : dtype.name().toLowerCase(Locale.ROOT);
  }

  private void checkClock(CommandSpec command) {
    if (clock != null && !clock.equals(EVENTS) && !clock.equals(WALL)) {
      throw new ParameterException(
          command.commandLine(), "--clock is '" + clock + "'; events and wall fit");
    }
  }

  /** Whether times are the device's own. */
  private boolean events(Device on) {
    return clock == null ? on.kind() == Device.Kind.CUDA : clock.equals(EVENTS);
  }

  /**
   * The clock.
   *
   * @param headStart whether work may be queued before it begins, so that the host's pace does not
   *     count
   */
  Clock open(Stream stream, boolean headStart) {
    return events(stream.device()) ? new EventClock(stream, headStart) : new WallClock(stream);
  }

  /** What the clock is, for a result file. */
  String clock(Device on) {
    if (!events(on)) {
      return "the host's";
    }
    return on.kind() == Device.Kind.CUDA ? "CUDA events" : "the device's events";
  }
}
