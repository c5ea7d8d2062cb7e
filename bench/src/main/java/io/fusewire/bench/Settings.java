// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/** Options that all measurements share. */
final class Settings {
  private static final int REST_MILLIS = 30;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "CPU threads of every contender (default: one per core).")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "15",
      description = "Runs of every contender (default: ${DEFAULT-VALUE}).")
  private int rounds;

  @Option(
      names = "--json",
      paramLabel = "FILE",
      description = "Also write the results to a file, after a header on the machine.")
  private Path json;

  int threads() {
    return threads;
  }

  Rounds rounds() {
    return new Rounds(Math.min(3, rounds), rounds, REST_MILLIS);
  }

  /** A stream of the CPU with these threads. */
  Stream open() {
    return Stream.open(Device.cpu()).threads(threads);
  }

  /** Prints the measurements and writes the file if one was asked for. */
  void report(List<Measurement> measurements, PrintWriter out) throws IOException {
    Map<String, String> facts = Machine.facts(Device.cpu(), threads);
    facts.put("rounds", Integer.toString(rounds));
    facts.forEach((name, value) -> out.println(name + ": " + value));
    out.println();
    Report.print(measurements, out);
    if (json != null) {
      Report.write(facts, measurements, json);
      out.println();
      out.println("written to " + json);
      out.flush();
    }
  }
}
