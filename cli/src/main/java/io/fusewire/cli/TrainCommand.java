// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import io.fusewire.train.TrainConfig;
import io.fusewire.train.TrainResult;
import io.fusewire.train.Trainer;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains a network and leaves its weights, metrics and a curve in the run's folder. */
@Command(
    name = "train",
    sortOptions = false,
    description = {
      "Trains a network on images, from random weights or further from those of --init.",
      "With no arguments: B0 with an 8-sample-dropout head and a one-cycle schedule on Fashion-MNIST.",
      "Ctrl-C or SIGTERM leaves a checkpoint that --resume goes on from."
    })
final class TrainCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private TrainOptions options;

  @Option(
      names = "--resume",
      paramLabel = "RUN",
      description = "A run's folder, or its checkpoint, to go on from.")
  private Path resume;

  @Option(
      names = "--out",
      paramLabel = "FOLDER",
      description = "Folder of the run (default: runs/<time>, or the resumed run's own).")
  private Path out;

  @Option(
      names = "--json",
      description = "Make the last line of stdout one JSON object with the results.")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    PrintWriter output = spec.commandLine().getOut();
    PrintWriter log = spec.commandLine().getErr();
    TrainConfig config = options.config().resume(resume).out(out);
    options.addInitialWeights(config, resume != null, log);
    TrainResult result;
    TrainProgress progress = TrainProgress.on(log);
    Trainer trainer = new Trainer(config, progress);
    try (StopOnSignal stop = new StopOnSignal(trainer::stop, log)) {
      try (progress) {
        result = trainer.run();
      }
      // Said before the JVM may end: a stopped run says how to go on.
      report(result, result.stopped() ? log : output);
    }
    if (json) {
      output.println(TrainReport.json(result));
    }
    return 0;
  }

  private void report(TrainResult result, PrintWriter where) {
    TrainReport.print(result, System.getProperty("fusewire.command", "fusewire"), where);
  }
}
