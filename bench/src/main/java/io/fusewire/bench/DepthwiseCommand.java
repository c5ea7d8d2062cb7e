// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.ops.Stream;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures depthwise convolutions alone. */
@Command(
    name = "depthwise",
    mixinStandardHelpOptions = true,
    description = "B0's depthwise convolutions beside memcpy of the same bytes.")
final class DepthwiseCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private Settings settings;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "8",
      description = "Images at a time (default: ${DEFAULT-VALUE}).")
  private int batch;

  @Override
  public Integer call() throws Exception {
    settings.check(spec);
    try (Stream stream = settings.open()) {
      DepthwiseCases cases =
          new DepthwiseCases(stream, settings.threads(), batch, settings.ownRounds());
      settings.report(cases.measure(), spec);
    }
    return 0;
  }
}
