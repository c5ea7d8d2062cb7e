// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import java.util.List;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.runner.NoBenchmarksException;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.Options;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.VerboseMode;

/** Runs the call benchmarks under JMH; the only class of the command that needs JMH. */
final class JmhRun {
  private static final String ALL = "io\\.fusewire\\.bench\\.calls\\..*";

  private JmhRun() {}

  /**
   * Measures.
   *
   * @param pattern calls to measure, a regular expression; null for all
   * @return time and allocation of every call; nothing if the pattern means none
   */
  static List<CallCost> of(String pattern, boolean verbose) throws RunnerException {
    Options options =
        new OptionsBuilder()
            .include(pattern == null ? ALL : pattern)
            .addProfiler(GCProfiler.class)
            .verbosity(verbose ? VerboseMode.NORMAL : VerboseMode.SILENT)
            .shouldFailOnError(true)
            .build();
    try {
      return CallCost.of(new Runner(options).run());
    } catch (NoBenchmarksException e) {
      return List.of();
    }
  }
}
