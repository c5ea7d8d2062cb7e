// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.graph.InferenceNetwork;
import io.fusewire.graph.TrainingNetwork;
import io.fusewire.model.Architecture;
import io.fusewire.model.ArchitectureBuilder;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** Counts the bytes that a network moves. */
@Command(
    name = "traffic",
    mixinStandardHelpOptions = true,
    description = {
      "The bytes that a network moves between memory and chip, step by step.",
      "Every load and store of the kernels is counted on the metered device: the",
      "distinct 32-byte sectors of each launch. Nothing is timed, and the numbers",
      "are the same on every machine. Counted with N and 2N images, and shown per",
      "image at batch 128."
    })
final class TrafficCommand implements Callable<Integer> {
  /** The batch that weights, gradients and optimizer are shared out over. */
  static final int SHARED_BATCH = 128;

  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "MODEL",
      defaultValue = "b0",
      description = "A model as info names it: b0, lite0, v2_s ... (default: ${DEFAULT-VALUE}).")
  private String model;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      defaultValue = "bf16",
      converter = Converter.class,
      description = "Storage of activations: f32, bf16 or f16 (default: ${DEFAULT-VALUE}).")
  private DType dtype;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "2",
      description = "The smaller number of images to count with (default: ${DEFAULT-VALUE}).")
  private int batch;

  @Option(
      names = "--resolution",
      paramLabel = "PIXELS",
      description = "Input height and width (default: the model's own).")
  private Integer resolution;

  @ArgGroup private What what = new What();

  @Option(
      names = "--expansion",
      paramLabel = "WHERE",
      converter = Expanding.class,
      description = {
        "Where inference keeps the expanded tensor of a block: stored (the default), or",
        "on-chip, in one kernel with the depthwise convolution."
      })
  private Pass expansion;

  @Option(names = "--tensors", description = "Also show what moves of every tensor of a step.")
  private boolean tensors;

  @Option(
      names = "--json",
      paramLabel = "FILE",
      description = "Also write the numbers to a file, after a header on the machine.")
  private Path json;

  @Option(names = "--png", paramLabel = "FILE", description = "Also draw them as a bar chart.")
  private Path png;

  /** Training or inference. */
  static final class What {
    private boolean inference;

    @Option(
        names = "--train",
        description = "A training step with RMSProp and a moving average (the default).")
    void train(boolean chosen) {
      inference &= !chosen;
    }

    @Option(names = "--inference", description = "A forward pass with folded BatchNorm.")
    void infer(boolean chosen) {
      inference |= chosen;
    }
  }

  /** The ways in which inference expands. */
  private static final class Expanding implements ITypeConverter<Pass> {
    @Override
    public Pass convert(String where) {
      return switch (where) {
        case "stored" -> Pass.INFER;
        case "on-chip" -> Pass.INFER_ON_CHIP;
        default ->
            throw new TypeConversionException(
                "'" + where + "' is no place for it; there are stored and on-chip");
      };
    }
  }

  /** Only what activations can be stored in. */
  private static final class Converter implements ITypeConverter<DType> {
    @Override
    public DType convert(String name) {
      try {
        return dtype(name);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }

  @Override
  public Integer call() throws Exception {
    Architecture net;
    try {
      net = net(model, resolution);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
    if (batch < 2) {
      throw new ParameterException(
          spec.commandLine(), "--batch is " + batch + "; at least 2 fits, for BatchNorm");
    }
    PrintWriter out = spec.commandLine().getOut();
    TrafficReport report = count(net, dtype, pass(), batch, this::say);
    report.print(out, tensors);
    if (json != null) {
      Map<String, String> facts = Machine.facts(Device.metered(), 1, spec);
      facts.put("images", batch + " and " + 2 * batch + ", per image at batch " + SHARED_BATCH);
      Report.write(facts, report.entries(), json);
      out.println("written to " + json);
    }
    if (png != null) {
      TrafficChart.write(png, report.name(), report.counts());
      out.println("written to " + png);
    }
    out.flush();
    return 0;
  }

  private Pass pass() {
    if (what.inference) {
      return expansion != null ? expansion : Pass.INFER;
    }
    if (expansion != null) {
      throw new ParameterException(
          spec.commandLine(), "--expansion fits --inference only: training stores what it expands");
    }
    return Pass.TRAIN;
  }

  /**
   * Counts what a network moves.
   *
   * @param batch the smaller number of images to count with
   * @param say takes what is being done
   */
  static TrafficReport count(
      Architecture net, DType dtype, Pass pass, int batch, Consumer<String> say) {
    try (Stream stream = Stream.open(Device.metered())) {
      say.accept("counting with " + batch + " images");
      NetworkTraffic few = count(stream, net, batch, dtype, pass);
      say.accept("counting with " + 2 * batch + " images");
      NetworkTraffic many = count(stream, net, 2 * batch, dtype, pass);
      var memory =
          pass == Pass.TRAIN
              ? TrainingNetwork.estimate(
                  stream, net, SHARED_BATCH, dtype, null, NetworkTraffic.OPTIMIZER, true)
              : InferenceNetwork.estimate(
                  stream, net, SHARED_BATCH, dtype, null, pass.expansions());
      String name =
          "%s@%d/%s/%s"
              .formatted(
                  net.name(),
                  net.resolution(),
                  pass.label(),
                  dtype.name().toLowerCase(Locale.ROOT));
      return new TrafficReport(
          name, new TrafficCounts(few, many, SHARED_BATCH), memory.totalBytes());
    }
  }

  private static NetworkTraffic count(
      Stream stream, Architecture net, int images, DType dtype, Pass pass) {
    return pass == Pass.TRAIN
        ? NetworkTraffic.train(stream, net, images, dtype)
        : NetworkTraffic.infer(stream, net, images, dtype, pass.expansions());
  }

  /** A model by name, at its own resolution where that is null. */
  static Architecture net(String model, Integer resolution) {
    ArchitectureBuilder<?> builder = Architecture.byName(model);
    if (resolution != null) {
      builder.resolution(resolution);
    }
    return builder.build();
  }

  /** A storage type of activations by name. */
  static DType dtype(String name) {
    for (DType dtype : DType.values()) {
      if (dtype.isFloating() && dtype.name().equalsIgnoreCase(name)) {
        return dtype;
      }
    }
    throw new IllegalArgumentException(
        "there is no dtype '" + name + "'; there are f32, bf16, f16");
  }

  private void say(String text) {
    spec.commandLine().getErr().println("traffic: " + text);
    spec.commandLine().getErr().flush();
  }
}
