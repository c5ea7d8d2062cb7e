// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The root command. */
@Command(
    name = "fusewire",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    scope = ScopeType.INHERIT,
    description =
        "Trains EfficientNets and ResNets and predicts with them, on an NVIDIA GPU or on the CPU.",
    synopsisSubcommandLabel = "COMMAND",
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:success",
      "1:failure; a line on stderr says which",
      "2:wrong usage",
      "130, 143:stopped by Ctrl-C or SIGTERM; a checkpoint is left"
    },
    subcommands = {
      TrainCommand.class,
      PredictCommand.class,
      ConvertCommand.class,
      InfoCommand.class,
      DoctorCommand.class,
      TestCommand.class,
      BenchCommand.class,
      BundleCommand.class
    })
final class FusewireCommand implements Runnable {
  @Spec private CommandSpec spec;

  @Option(
      names = "--stacktrace",
      scope = ScopeType.INHERIT,
      description = "Show the Java stack trace of a failure.")
  private boolean stacktrace;

  boolean stacktrace() {
    return stacktrace;
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "which command?");
  }
}
