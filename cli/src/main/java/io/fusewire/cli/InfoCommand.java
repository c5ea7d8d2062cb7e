// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.fusewire.graph.InferenceNetwork;
import io.fusewire.graph.TrainingNetwork;
import io.fusewire.model.Architecture;
import io.fusewire.model.LayerSummary;
import io.fusewire.model.MemoryEstimate;
import io.fusewire.model.ModelSummary;
import io.fusewire.ops.Device;
import io.fusewire.ops.OptimizerSettings;
import io.fusewire.ops.Stream;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/** Shows a network's layers, totals and memory, or which networks there are. */
@Command(
    name = "info",
    description = {
      "Shows a network's layers, its parameters and multiply-adds, and the memory it needs.",
      "Without MODEL, lists the models there are."
    })
final class InfoCommand implements Callable<Integer> {
  private static final double MEGA = 1e6;
  private static final double GIGA = 1e9;
  private static final int MOST_NAMES = 12;

  @Spec private CommandSpec spec;

  @Parameters(
      arity = "0..1",
      paramLabel = "MODEL",
      description =
          "A name such as b0, v2_s or resnet50, a file of weights, or the folder of a run.")
  private String model;

  @Option(
      names = "--resolution",
      paramLabel = "PIXELS",
      description = "Input height and width (default: the model's own).")
  private Integer resolution;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "1",
      description = "Images at a time, for the memory (default: ${DEFAULT-VALUE}).")
  private int batch;

  @Mixin private DTypeOption dtype;

  @Option(names = "--json", description = "Print one JSON object instead.")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    if (model == null) {
      listModels();
      return 0;
    }
    ModelArgument.Known known;
    Architecture network;
    try {
      if (batch < 1) {
        throw new IllegalArgumentException("--batch: " + batch + " is not a number of at least 1");
      }
      known = ModelArgument.known(model);
      network =
          resolution == null
              ? known.network()
              : known.network().toBuilder().resolution(resolution).build();
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
    ModelSummary summary = ModelSummary.of(network, dtype.value());
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      out.println(JsonLine.of(object -> write(object, summary, known)));
    } else {
      print(out, summary, known);
    }
    return 0;
  }

  private void listModels() throws IOException {
    ParseResult parsed = spec.commandLine().getParseResult();
    for (String option : List.of("--resolution", "--batch", "--dtype")) {
      if (parsed.hasMatchedOption(option)) {
        throw new ParameterException(
            spec.commandLine(), option + " needs a MODEL; 'info' by itself lists them");
      }
    }
    ModelList models = ModelList.ofAll();
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      out.println(models.json());
    } else {
      models.print(out);
    }
  }

  private MemoryEstimate inference(Architecture network) {
    try (Stream stream = Stream.open(Device.cpu())) {
      return InferenceNetwork.estimate(stream, network, batch, dtype.value(), null);
    }
  }

  private MemoryEstimate training(Architecture network) {
    try (Stream stream = Stream.open(Device.cpu())) {
      // RMSProp with a moving average: what 'train' does unless told otherwise.
      // Five strides of two leave one pixel of 32, and one value has no variance to normalise by.
      int least = network.resolution() <= 32 ? 2 : 1;
      return TrainingNetwork.estimate(
          stream,
          network,
          Math.max(batch, least),
          dtype.value(),
          null,
          OptimizerSettings.Kind.RMSPROP,
          true);
    }
  }

  private void print(PrintWriter out, ModelSummary summary, ModelArgument.Known known) {
    Table table =
        new Table("layer", "operation", "input", "output", ">parameters", ">MMACs", ">MiB moved");
    for (LayerSummary layer : summary.layers()) {
      table.row(
          layer.name(),
          layer.type(),
          layer.input(),
          layer.output(),
          Quantities.count(layer.parameters()),
          Quantities.format("%.2f", layer.macs() / MEGA),
          Quantities.format("%.2f", layer.bytes() / (double) (1 << 20)));
    }
    table.print(out);
    out.println();
    out.println(summary.network());
    if (known.images() != null) {
      out.println("images            " + PreprocessingLine.of(known.images()));
    }
    if (!known.classNames().isEmpty()) {
      out.println("classes           " + shortened(known.classNames()));
    }
    out.println("parameters        " + Quantities.count(summary.parameters()));
    out.println(
        "multiply-adds     " + Quantities.format("%.3f G per image", summary.macs() / GIGA));
    out.println(
        "moved             "
            + Quantities.bytes(summary.bytes())
            + " per image, layer by layer in "
            + dtype.name());
    print(out, "memory, inference ", inference(summary.network()));
    print(out, "memory, training  ", training(summary.network()));
  }

  private static void print(PrintWriter out, String what, MemoryEstimate memory) {
    out.println(
        Quantities.format(
            "%s%s at batch %,d: %s of activations and workspaces, %s of parameters and their like",
            what,
            Quantities.bytes(memory.totalBytes()),
            memory.batch(),
            Quantities.bytes(memory.arenaBytes()),
            Quantities.bytes(memory.parameterBytes())));
  }

  private static String shortened(List<String> names) {
    int shown = Math.min(names.size(), MOST_NAMES);
    String all = String.join(", ", names.subList(0, shown));
    return shown == names.size() ? all : all + ", ... (" + names.size() + " in all)";
  }

  private void write(JsonGenerator json, ModelSummary summary, ModelArgument.Known known)
      throws IOException {
    Architecture network = summary.network();
    json.writeStartObject();
    json.writeStringField("model", network.name());
    json.writeNumberField("resolution", network.resolution());
    json.writeNumberField("classes", network.classes());
    if (known.images() != null) {
      PreprocessingLine.write(json, "preprocessing", known.images());
    }
    if (!known.classNames().isEmpty()) {
      json.writeArrayFieldStart("class_names");
      for (String name : known.classNames()) {
        json.writeString(name);
      }
      json.writeEndArray();
    }
    json.writeStringField("dtype", dtype.name());
    json.writeNumberField("parameters", summary.parameters());
    json.writeNumberField("macs", summary.macs());
    json.writeNumberField("bytes", summary.bytes());
    json.writeNumberField("batch", batch);
    write(json, "inference_memory", inference(network));
    write(json, "training_memory", training(network));
    json.writeArrayFieldStart("layers");
    for (LayerSummary layer : summary.layers()) {
      json.writeStartObject();
      json.writeStringField("name", layer.name());
      json.writeStringField("operation", layer.type());
      json.writeStringField("input", layer.input());
      json.writeStringField("output", layer.output());
      json.writeNumberField("parameters", layer.parameters());
      json.writeNumberField("macs", layer.macs());
      json.writeNumberField("bytes", layer.bytes());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private static void write(JsonGenerator json, String field, MemoryEstimate memory)
      throws IOException {
    json.writeObjectFieldStart(field);
    json.writeNumberField("total", memory.totalBytes());
    json.writeNumberField("activations", memory.arenaBytes());
    json.writeNumberField("parameters", memory.parameterBytes());
    json.writeEndObject();
  }
}
