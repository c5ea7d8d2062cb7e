// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Unmatched;

/** Stands in for what the launcher script does itself, because it needs the source tree. */
@Command(name = "test", description = "Runs all tests; in a bundle, those of one device.")
final class TestCommand implements Runnable {
  @Spec private CommandSpec spec;
  @Unmatched private String[] arguments = {};

  @Override
  public void run() {
    String command = String.join(" ", "./fusewire test", String.join(" ", arguments)).strip();
    throw new ParameterException(
        spec.commandLine(), "tests are run from a source tree, by its script: " + command);
  }
}
