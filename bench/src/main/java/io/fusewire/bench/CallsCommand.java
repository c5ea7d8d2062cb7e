// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.openjdk.jmh.Main;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Measures with JMH what a call from Java costs, apart from the work. */
@Command(
    name = "calls",
    mixinStandardHelpOptions = true,
    description = "What calling an operation from Java costs, by JMH.")
final class CallsCommand implements Callable<Integer> {
  private static final String BENCHMARKS = "io\\.fusewire\\.bench\\.calls\\..*";

  @Parameters(
      arity = "0..1",
      paramLabel = "PATTERN",
      defaultValue = BENCHMARKS,
      description = "Benchmarks to run, a regular expression (default: all).")
  private String pattern;

  @Option(names = "--json", paramLabel = "FILE", description = "Also write JMH's results.")
  private String json;

  @Override
  public Integer call() throws Exception {
    List<String> arguments = new ArrayList<>(List.of(pattern));
    if (json != null) {
      arguments.addAll(List.of("-rf", "json", "-rff", json));
    }
    Main.main(arguments.toArray(new String[0]));
    return 0;
  }
}
