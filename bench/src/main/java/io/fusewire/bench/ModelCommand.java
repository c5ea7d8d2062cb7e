// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.model.EfficientNetBuilder;
import io.fusewire.ops.Stream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures a whole network. */
@Command(
    name = "model",
    mixinStandardHelpOptions = true,
    description = {
      "A whole network in f32 on the CPU, and B0's depthwise convolutions.",
      "Training steps beside libtorch (channels-last), inference beside ONNX Runtime and libtorch,",
      "all threads beside one, depthwise forward beside memcpy of the same bytes.",
      "A ratio is ours over the peer's."
    })
final class ModelCommand implements Callable<Integer> {
  private static final int DEPTHWISE_BATCH = 8;

  @Spec private CommandSpec spec;
  @Mixin private Settings settings;
  @Mixin private ModelChoice model;

  @Option(
      names = "--batch",
      paramLabel = "N",
      split = ",",
      defaultValue = "8,32",
      description = "Images of a training step, any number of them (default: ${DEFAULT-VALUE}).")
  private List<Integer> batches;

  @Option(
      names = "--infer-batch",
      paramLabel = "N",
      split = ",",
      defaultValue = "1,8,32",
      description = "Images of a forward pass, any number of them (default: ${DEFAULT-VALUE}).")
  private List<Integer> inferenceBatches;

  @Override
  public Integer call() throws Exception {
    settings.check(spec);
    batches.forEach(n -> Settings.atLeastOne(spec, "--batch", n));
    inferenceBatches.forEach(n -> Settings.atLeastOne(spec, "--infer-batch", n));
    EfficientNetBuilder builder = model.builder(spec);
    List<Measurement> measurements = new ArrayList<>();
    try (Stream stream = settings.open()) {
      ModelCases cases = new ModelCases(stream, settings.threads(), settings.rounds(), builder);
      for (int images : inferenceBatches) {
        say("inference, batch " + images);
        measurements.addAll(cases.infer(images));
      }
      for (int images : batches) {
        say("training step, batch " + images);
        measurements.add(cases.train(images));
      }
      if (settings.threads() > 1) {
        say("training step, batch " + batches.get(0) + ", on one thread");
        measurements.add(cases.scaling(batches.get(0)));
      }
      if (model.name().equals("b0")) {
        say("depthwise convolutions");
        measurements.addAll(
            new DepthwiseCases(stream, settings.threads(), DEPTHWISE_BATCH, settings.ownRounds())
                .measure());
      }
    }
    settings.report(measurements, spec);
    return 0;
  }

  private void say(String what) {
    spec.commandLine().getErr().println("measuring: " + what);
    spec.commandLine().getErr().flush();
  }
}
