// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.graph.ExpansionPolicy;
import io.fusewire.graph.InferenceNetwork;
import io.fusewire.graph.Program;
import io.fusewire.graph.Replay;
import io.fusewire.graph.Step;
import io.fusewire.graph.TrainingNetwork;
import io.fusewire.graph.TrainingState;
import io.fusewire.graph.Value;
import io.fusewire.model.Architecture;
import io.fusewire.model.ArchitectureBuilder;
import io.fusewire.model.ModelSummary;
import io.fusewire.model.Padding;
import io.fusewire.model.Parameter;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.Optimizer;
import io.fusewire.ops.OptimizerSettings;
import io.fusewire.ops.ParameterTable;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * A whole network on any device in any type, beside PyTorch's modes where the user wants them: a
 * training step with loss and optimizer, and a forward pass with probabilities. Images and labels
 * are on the device already. Neither dropout nor drop-connect.
 */
final class NetworkCases {
  private static final double RUN_SECONDS = 0.004;
  private static final float LEARNING_RATE = 1e-4f;
  private static final float MOMENTUM = 0.9f;
  private static final float F16_LOSS_SCALE = 1024;

  /** A training step's operations over a forward pass's: forward and two gradients. */
  private static final int TRAINING_FACTOR = 3;

  /**
   * How often a step moves a trained element's four bytes: the value is read in both passes, and
   * all of value, gradient and momentum are read and written by the optimizer, the gradient's
   * writing counted to the backward pass.
   */
  private static final int PARAMETER_TOUCHES = 8;

  private final Stream stream;
  private final DType dtype;
  private final Clock clock;
  private final Rounds rounds;
  private final Limits limits;
  private final PyTorchCases pyTorch;
  private final Architecture net;
  private final float[] values;

  /** Nobody beside us where pyTorch is null. */
  NetworkCases(
      Stream stream,
      DType dtype,
      Clock clock,
      Rounds rounds,
      Limits limits,
      PyTorchCases pyTorch,
      ArchitectureBuilder<?> model) {
    this.stream = stream;
    this.dtype = dtype;
    this.clock = clock;
    this.rounds = rounds;
    this.limits = limits;
    this.pyTorch = pyTorch;
    net =
        model
            .padding(Padding.SYMMETRIC)
            .batchNorm(ModelCases.PYTORCH_EPSILON, ModelCases.PYTORCH_MOMENTUM)
            .dropout(0)
            .dropConnect(0)
            .samples(1)
            .build();
    values = net.parameters().initialValues(1);
  }

  private String name(String what, int batch) {
    return "%s@%d/%s/batch%d/%s"
        .formatted(net.name(), net.resolution(), what, batch, DeviceChoice.typeName(stream, dtype));
  }

  /** Forward, loss, backward, and SGD with momentum. */
  NetworkResult train(int batch) throws Exception {
    long before = stream.device().liveBytes();
    float scale = dtype == DType.F16 ? F16_LOSS_SCALE : 1;
    Optimizer optimizer = new Optimizer(OptimizerSettings.sgd(false));
    try (TrainingState state =
            new TrainingState(stream, net.parameters(), OptimizerSettings.Kind.SGD, false, scale);
        TrainingNetwork network = TrainingNetwork.open(stream, net, batch, dtype, null, 0, state);
        ParameterTable table = table(state);
        Tensor workspace =
            Tensor.allocate(
                stream.device(), DType.U8, Math.max(1, optimizer.workspaceBytes(stream, table)))) {
      state.values().load(stream, values);
      state.step().set(stream, 1, 0, LEARNING_RATE, MOMENTUM, 0, 1, 1);
      fill(network.images());
      int[] labels = new int[batch];
      for (int i = 0; i < batch; i++) {
        labels[i] = i * 37 % net.classes();
      }
      network.labels().copyFrom(stream, labels);
      Runnable step =
          () -> {
            network.run();
            optimizer.examine(stream, table, state.lossScale(), workspace);
            optimizer.step(stream, table, state.step(), state.lossScale());
          };
      return trained(batch, network, step, before);
    }
  }

  /** Measures steps as training makes them: as a graph where that suits the device. */
  private NetworkResult trained(int batch, TrainingNetwork network, Runnable step, long before)
      throws Exception {
    Replay.Mode mode = Replay.modeFor(stream.device());
    try (Replay replay = new Replay(stream, "training step", step, mode)) {
      replay.run();
      String name = name("train-step", batch);
      requireFinite(name, network.losses().toFloats(stream));
      double bytes =
          moved(network.program())
              + (double) PARAMETER_TOUCHES * Float.BYTES * net.parameters().trainedElements();
      return race(
          new Load(name, batch, bytes, TRAINING_FACTOR * operations(batch), Double.NaN),
          fields("train-step", batch),
          replay::run,
          stream.device().liveBytes() - before);
    }
  }

  private ParameterTable table(TrainingState state) {
    ParameterTable.Builder builder = ParameterTable.builder(stream);
    for (Parameter parameter : net.parameters().all()) {
      if (parameter.kind().trained()) {
        builder.add(
            state.values().of(parameter),
            state.gradients().of(parameter),
            state.state0().of(parameter),
            null,
            null,
            0,
            1);
      }
    }
    return builder.build();
  }

  /** A forward pass with folded BatchNorm, up to the probabilities. */
  NetworkResult infer(int batch) throws Exception {
    long before = stream.device().liveBytes();
    try (InferenceNetwork network = InferenceNetwork.open(stream, net, batch, dtype, null, null)) {
      network.load(values);
      fill(network.images());
      network.run();
      String name = name("infer-step", batch);
      float[] logits = network.logits().toFloats(stream);
      requireFinite(name, logits);
      double bytes =
          moved(network.program()) + network.weights().stream().mapToLong(Tensor::bytes).sum();
      return race(
          new Load(name, batch, bytes, operations(batch), error(logits)),
          fields("infer-step", batch),
          network::run,
          stream.device().liveBytes() - before);
    }
  }

  /**
   * What a case does at least.
   *
   * @param error of our results; NaN where there is no reference
   */
  private record Load(String name, int batch, double bytes, double operations, double error) {}

  /** Every value of the plan as often as a step names it. */
  private static double moved(Program program) {
    double bytes = 0;
    for (Step step : program.steps()) {
      bytes += step.reads().stream().mapToLong(Value::bytes).sum();
      bytes += step.writes().stream().mapToLong(Value::bytes).sum();
    }
    return bytes;
  }

  private double operations(int batch) {
    return 2.0 * batch * ModelSummary.of(net, dtype).macs();
  }

  /** The same images for every batch size and device, but for the type's rounding. */
  private void fill(Tensor images) {
    int each = Math.toIntExact(images.elements() / images.size(0));
    Random random = new Random(1);
    float[] image = new float[each];
    for (int n = 0; n < images.size(0); n++) {
      // Drawing takes the host longer than copying.
      if (n < 2) {
        for (int i = 0; i < each; i++) {
          image[i] = (float) random.nextGaussian();
        }
      }
      images.slice((long) n * each * dtype.bytes(), dtype, each).copyFrom(stream, image);
    }
  }

  /** The first image's logits against the CPU's in f32; NaN where those are the same thing. */
  private double error(float[] logits) {
    if (dtype == DType.F32 && stream.device().kind() == Device.Kind.CPU) {
      return Double.NaN;
    }
    try (Stream cpu = Stream.open(Device.cpu()).threads(stream.threads());
        InferenceNetwork reference =
            InferenceNetwork.open(cpu, net, 1, DType.F32, null, null, ExpansionPolicy.STORED);
        Tensor image = Tensor.allocate(stream.device(), dtype, reference.images().elements())) {
      reference.load(values);
      fill(image.reshape(reference.images().shape()));
      reference.images().copyFrom(cpu, image.toFloats(stream));
      reference.run();
      return ModelCases.relativeError(
          Arrays.copyOf(logits, net.classes()), reference.logits().toFloats(cpu));
    }
  }

  private static void requireFinite(String name, float[] results) {
    for (float result : results) {
      if (!Float.isFinite(result)) {
        throw new DifferentResults(name + ": a result is " + result);
      }
    }
  }

  private Map<String, Object> fields(String what, int batch) {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("kind", "network");
    fields.put("case", name(what, batch));
    fields.put("operation", what);
    fields.put("model", net.name());
    fields.put("resolution", net.resolution());
    fields.put("classes", net.classes());
    fields.put("batch", batch);
    fields.put("allow_tf32", stream.tf32Allowed());
    fields.put("learning_rate", LEARNING_RATE);
    fields.put("momentum", MOMENTUM);
    return fields;
  }

  /** One race for every mode of PyTorch, since their memory may not fit at once. */
  private NetworkResult race(Load load, Map<String, Object> fields, Runnable step, long ourBytes)
      throws Exception {
    int calls =
        OperationCases.calls(
            times -> {
              for (int i = 0; i < times; i++) {
                step.run();
              }
              stream.synchronize();
            },
            RUN_SECONDS);
    Rounds.Contender ours =
        () ->
            clock.seconds(
                    () -> {
                      for (int i = 0; i < calls; i++) {
                        step.run();
                      }
                    })
                / calls;
    List<NetworkResult.Race> races = new ArrayList<>();
    if (pyTorch == null) {
      races.add(new NetworkResult.Race(rounds.race(List.of(ours)).get(0), null, Double.NaN));
    } else {
      for (String mode : pyTorch.modes()) {
        List<PyTorchCases.Outcome> outcomes = new ArrayList<>();
        List<Timing> timings =
            pyTorch.race(fields, List.of(mode), dtype, List.of(ours), rounds, outcomes);
        PyTorchCases.Outcome outcome = outcomes.get(0);
        races.add(new NetworkResult.Race(timings.get(0), outcome.time(), outcome.peakBytes()));
      }
    }
    return new NetworkResult(
        load.name(),
        load.batch(),
        load.bytes(),
        load.operations(),
        load.error(),
        ourBytes,
        races,
        limits);
  }
}
