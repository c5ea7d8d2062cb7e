// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.io.CacheFolder;
import io.fusewire.ops.Device;
import io.fusewire.ops.DeviceMemoryException;
import io.fusewire.ops.Stream;
import io.fusewire.ops.UnsupportedException;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;

/** Makes those expansions on chip that were measured to be faster so, see {@link #measured}. */
final class MeasuredExpansions implements ExpansionPolicy {
  private static final String FILE = "expansions.json";

  private final Path file;
  private final Supplier<String> library;
  private final Stopwatch stopwatch;
  private ExpansionTable table;

  /** Measures an expansion both ways. */
  interface Stopwatch {
    ExpansionTimes time(Stream stream, Expansion expansion);
  }

  /** The one of this process. */
  private static final class Shared {
    static final MeasuredExpansions POLICY =
        new MeasuredExpansions(
            CacheFolder.path().resolve(FILE), MeasuredExpansions::build, ExpansionTrial::time);
  }

  /**
   * Makes a policy.
   *
   * @param file where times are kept
   * @param library what is measured, asked for when it is loaded
   * @param stopwatch measures
   */
  MeasuredExpansions(Path file, Supplier<String> library, Stopwatch stopwatch) {
    this.file = file;
    this.library = library;
    this.stopwatch = stopwatch;
  }

  static MeasuredExpansions shared() {
    return Shared.POLICY;
  }

  private static String build() {
    return "%s %s %s"
        .formatted(Device.libraryVersion(), Device.libraryChecksum(), Device.libraryBuildInfo());
  }

  /** One network at a time: those that measure at once would measure each other. */
  @Override
  public synchronized Set<Expansion> onChip(Stream stream, List<Expansion> expansions) {
    Device.Kind kind = stream.device().kind();
    if (kind == Device.Kind.CHECKED || kind == Device.Kind.METERED) {
      return Set.of();
    }
    if (table == null) {
      table = new ExpansionTable(file, library.get());
    }
    Set<Expansion> chosen = new LinkedHashSet<>();
    for (Expansion expansion : expansions) {
      if (wins(stream, expansion)) {
        chosen.add(expansion);
      }
    }
    table.save();
    return chosen;
  }

  private boolean wins(Stream stream, Expansion expansion) {
    String name = name(stream, expansion);
    ExpansionTimes times = table.get(name);
    if (times == null) {
      try {
        times = stopwatch.time(stream, expansion);
      } catch (UnsupportedException e) {
        return false;
      } catch (DeviceMemoryException e) {
        // A network that stores this one needs no less.
        return true;
      }
      table.put(name, times);
    }
    return times.onChipWins();
  }

  private static String name(Stream stream, Expansion expansion) {
    Device device = stream.device();
    String threads =
        device.kind() != Device.Kind.CPU
            ? stream.tf32Allowed() ? ", TF32" : ""
            : ", %d threads"
                .formatted(stream.threads() > 0 ? stream.threads() : device.processors());
    return "%s %s, %s%s: %s"
        .formatted(device.name(), device.description(), device.level(), threads, expansion);
  }
}
