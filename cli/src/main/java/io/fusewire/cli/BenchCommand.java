// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Unmatched;

/**
 * Stands in for the bench module, which the launcher script starts, because its peers are large.
 */
@Command(name = "bench", description = "Measures operations and models beside their peers.")
final class BenchCommand implements Runnable {
  @Spec private CommandSpec spec;
  @Unmatched private String[] arguments = {};

  @Override
  public void run() {
    String command = String.join(" ", "./fusewire bench", String.join(" ", arguments)).strip();
    throw new ParameterException(
        spec.commandLine(), "benchmarks are run from a source tree, by its script: " + command);
  }
}
