// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Unmatched;

/** Stands in for what the launcher script does itself, because it needs the source tree. */
@Command(
    name = "bundle",
    description = "Makes a folder that runs on a host without JDK or CUDA toolkit.")
final class BundleCommand implements Runnable {
  @Spec private CommandSpec spec;
  @Unmatched private String[] arguments = {};

  @Override
  public void run() {
    String command = String.join(" ", "./fusewire bundle", String.join(" ", arguments)).strip();
    throw new ParameterException(
        spec.commandLine(), "bundles are made from a source tree, by its script: " + command);
  }
}
