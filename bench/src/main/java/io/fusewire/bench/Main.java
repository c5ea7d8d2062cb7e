// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.ops.FusewireException;
import java.io.IOException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
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
  private static final String STACKTRACE = "--stacktrace";

  @Spec private CommandSpec spec;

  @Option(
      names = STACKTRACE,
      scope = ScopeType.INHERIT,
      description = "Show where a failure happened.")
  private boolean stacktrace;

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
    System.exit(commandLine().execute(arguments));
  }

  /**
   * All commands, with what becomes of a failure: a line if its message says what is the matter.
   */
  static CommandLine commandLine() {
    Main main = new Main();
    return new CommandLine(main)
        .setExecutionExceptionHandler(
            (exception, line, parsed) -> {
              boolean clear =
                  exception instanceof FusewireException
                      || exception instanceof IllegalArgumentException
                      || exception instanceof IOException
                      || exception instanceof DifferentResults;
              boolean trace = parsed.originalArgs().contains(STACKTRACE) || main.stacktrace;
              if (clear && !trace) {
                PeerChoice.say(line.getErr(), exception.getMessage());
              } else {
                exception.printStackTrace(line.getErr());
                line.getErr().flush();
              }
              return 1;
            });
  }
}
