// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.model.Architecture;
import io.fusewire.model.ArchitectureBuilder;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** Options that say which network is measured. */
final class ModelChoice {
  @Option(
      names = "--model",
      paramLabel = "NAME",
      defaultValue = "b0",
      description =
          "b0 to b8, l2, lite0 to lite4, v2_s, v2_b0, resnet18, ... (default: ${DEFAULT-VALUE}).")
  private String model;

  @Option(
      names = "--resolution",
      paramLabel = "PIXELS",
      description = "Input height and width (default: the model's own).")
  private Integer resolution;

  String name() {
    return model;
  }

  /** The network, to be completed; refuses what there is not. */
  ArchitectureBuilder<?> builder(CommandSpec command) {
    try {
      ArchitectureBuilder<?> builder = Architecture.byName(model);
      if (resolution != null) {
        builder.resolution(resolution);
      }
      return builder;
    } catch (IllegalArgumentException e) {
      throw new ParameterException(command.commandLine(), e.getMessage(), e);
    }
  }
}
