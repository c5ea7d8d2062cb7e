// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.model.EfficientNet;
import io.fusewire.model.EfficientNetBuilder;
import io.fusewire.ops.Stream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measures a whole network. */
@Command(
    name = "model",
    mixinStandardHelpOptions = true,
    description = {
      "A whole network in f32 on the CPU, and its depthwise convolutions.",
      "Training steps beside libtorch (channels-last), inference beside ONNX Runtime and libtorch,",
      "depthwise forward beside memcpy of the same bytes. A ratio is ours over the peer's."
    })
final class ModelCommand implements Callable<Integer> {
  private static final List<Integer> INFERENCE_BATCHES = List.of(1, 8);

  @Spec private CommandSpec spec;
  @Mixin private Settings settings;

  @Option(
      names = "--model",
      paramLabel = "NAME",
      defaultValue = "b0",
      description = "b0 to b7 (default: ${DEFAULT-VALUE}).")
  private String model;

  @Option(
      names = "--resolution",
      paramLabel = "PIXELS",
      description = "Input height and width (default: the model's own).")
  private Integer resolution;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "8",
      description = "Images of a training step (default: ${DEFAULT-VALUE}).")
  private int batch;

  @Override
  public Integer call() throws Exception {
    settings.check(spec);
    EfficientNetBuilder builder;
    try {
      builder = EfficientNet.byName(model);
      if (resolution != null) {
        builder.resolution(resolution);
      }
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
    List<Measurement> measurements = new ArrayList<>();
    try (Stream stream = settings.open()) {
      ModelCases cases = new ModelCases(stream, settings.threads(), settings.rounds(), builder);
      for (int images : INFERENCE_BATCHES) {
        say("inference, batch " + images);
        measurements.addAll(cases.infer(images));
      }
      say("training step, batch " + batch);
      measurements.add(cases.train(batch));
      say("depthwise convolutions");
      measurements.addAll(
          new DepthwiseCases(stream, settings.threads(), batch, settings.rounds()).measure());
    }
    settings.report(measurements, spec);
    return 0;
  }

  private void say(String what) {
    spec.commandLine().getErr().println("measuring: " + what);
    spec.commandLine().getErr().flush();
  }
}
