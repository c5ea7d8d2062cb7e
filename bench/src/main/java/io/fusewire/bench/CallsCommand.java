// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.peer.Installed;
import io.fusewire.ops.Device;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Measures with JMH what a call from Java costs, apart from the work. */
@Command(
    name = "calls",
    mixinStandardHelpOptions = true,
    description = "What calling an operation from Java costs in time and heap memory, by JMH.")
final class CallsCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(
      arity = "0..1",
      paramLabel = "PATTERN",
      description = "Calls to measure, a regular expression such as DepthwiseConv (default: all).")
  private String pattern;

  @Option(
      names = "--json",
      paramLabel = "FILE",
      description = "Also write the results to a file, after a header on the machine.")
  private Path json;

  @Option(names = "--verbose", description = "Show what JMH says meanwhile.")
  private boolean verbose;

  @Override
  public Integer call() throws Exception {
    PrintWriter out = spec.commandLine().getOut();
    if (!Installed.JMH.present()) {
      PeerChoice.say(spec.commandLine().getErr(), Installed.JMH.absence().orElseThrow());
      return 1;
    }
    List<CallCost> costs = JmhRun.of(pattern, verbose);
    if (costs.isEmpty()) {
      throw new ParameterException(spec.commandLine(), "no call matches '" + pattern + "'");
    }
    Map<String, String> facts = Machine.facts(Device.cpu(), 1, spec);
    facts.forEach((name, value) -> out.println(name + ": " + value));
    out.println();
    print(costs, out);
    if (json != null) {
      Report.write(facts, costs, json);
      out.println();
      out.println("written to " + json);
    }
    out.flush();
    return 0;
  }

  /** One line for each call. */
  static void print(List<CallCost> costs, PrintWriter out) {
    String row = "%-34s %14s %20s%n";
    out.printf(row, "call", "ns", "bytes allocated");
    for (CallCost time : costs) {
      if (!time.metric().equals(CallCost.TIME)) {
        continue;
      }
      for (CallCost other : costs) {
        if (other.name().equals(time.name()) && other.metric().equals(CallCost.ALLOCATED)) {
          out.printf(
              row,
              time.name(),
              String.format(Locale.ROOT, "%.1f", time.value()),
              String.format(Locale.ROOT, "%.2f", other.value()));
        }
      }
    }
    out.flush();
  }
}
