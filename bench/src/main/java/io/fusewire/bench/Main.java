// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Entry point of {@code ./fusewire bench}. */
@Command(
    name = "bench",
    mixinStandardHelpOptions = true,
    description = "Measures operations and models beside their peers, in interleaved runs.",
    synopsisSubcommandLabel = "COMMAND",
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:measured, whatever came out", "1:failure", "2:wrong usage"},
    subcommands = {
      ModelCommand.class,
      OpsCommand.class,
      DepthwiseCommand.class,
      CallsCommand.class,
      MemoryCommand.class,
      TrafficCommand.class,
      ReportCommand.class
    })
public final class Main implements Runnable {
  @Spec private CommandSpec spec;

  Main() {}

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "which benchmark?");
  }

  /**
   * Runs a benchmark and exits with its exit code.
   *
   * @param arguments what the user typed after {@code bench}
   */
  public static void main(String[] arguments) {
    System.exit(
        new CommandLine(new Main())
            .setExecutionExceptionHandler(
                (exception, line, parsed) -> {
                  exception.printStackTrace(line.getErr());
                  return 1;
                })
            .execute(arguments));
  }
}
