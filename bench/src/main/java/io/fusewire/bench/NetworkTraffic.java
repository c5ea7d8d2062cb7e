// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.graph.ExpansionPolicy;
import io.fusewire.graph.InferenceNetwork;
import io.fusewire.graph.Program;
import io.fusewire.graph.Step;
import io.fusewire.graph.TrainingNetwork;
import io.fusewire.graph.TrainingState;
import io.fusewire.graph.Value;
import io.fusewire.model.Architecture;
import io.fusewire.model.Parameter;
import io.fusewire.ops.DType;
import io.fusewire.ops.Meter;
import io.fusewire.ops.Optimizer;
import io.fusewire.ops.OptimizerSettings;
import io.fusewire.ops.ParameterTable;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

/**
 * What a network moves in one training step or one inference, step by step, as counted by the
 * metered device.
 *
 * @param batch images
 * @param steps in the order in which they run
 * @param saved bytes of the values that forward steps write and backward steps read
 */
record NetworkTraffic(int batch, List<StepTraffic> steps, long saved) {
  private static final float RMSPROP_DECAY = 0.9f;
  private static final float RMSPROP_EPSILON = 1e-3f;
  private static final float LEARNING_RATE = 1e-3f;
  private static final float EMA_DECAY = 0.999f;

  /** What {@code ./fusewire train} uses if nothing is said. */
  static final OptimizerSettings.Kind OPTIMIZER = OptimizerSettings.Kind.RMSPROP;

  NetworkTraffic {
    steps = List.copyOf(steps);
  }

  /** A tensor that is there in every step. */
  private record Lasting(String name, TensorTraffic.Kind kind, Tensor tensor) {}

  /** One forward pass with folded weights. */
  static NetworkTraffic infer(
      Stream stream, Architecture net, int batch, DType dtype, ExpansionPolicy expansions) {
    try (InferenceNetwork network =
        InferenceNetwork.open(stream, net, batch, dtype, null, null, expansions)) {
      network.load(net.parameters().initialValues(1));
      fill(stream, network.images());
      List<Lasting> weights = new ArrayList<>();
      for (Tensor tensor : network.weights()) {
        weights.add(new Lasting("weights " + weights.size(), TensorTraffic.Kind.WEIGHTS, tensor));
      }
      Program program = network.program();
      List<StepTraffic> steps = program(stream, program, program.steps().size(), weights);
      return new NetworkTraffic(batch, steps, 0);
    }
  }

  /** One training step: forward, loss, backward, optimizer with moving average. */
  static NetworkTraffic train(Stream stream, Architecture net, int batch, DType dtype) {
    try (TrainingState state = new TrainingState(stream, net.parameters(), OPTIMIZER, true, 1);
        TrainingNetwork network = TrainingNetwork.open(stream, net, batch, dtype, null, 0, state)) {
      state.values().load(stream, net.parameters().initialValues(1));
      state.average().load(stream, net.parameters().initialValues(1));
      state.step().set(stream, 1, 0, LEARNING_RATE, RMSPROP_DECAY, EMA_DECAY, 1, 1);
      fill(stream, network.images());
      int[] labels = new int[batch];
      for (int i = 0; i < batch; i++) {
        labels[i] = i % net.classes();
      }
      network.labels().copyFrom(stream, labels);
      List<Lasting> lasting = lasting(net, state);
      Program program = network.program();
      List<StepTraffic> steps =
          new ArrayList<>(program(stream, program, network.forwardSteps(), lasting));
      steps.addAll(optimizer(stream, net, state, lasting));
      return new NetworkTraffic(batch, steps, saved(program, network.forwardSteps()));
    }
  }

  private static void fill(Stream stream, Tensor images) {
    Random random = new Random(1);
    float[] values = new float[Math.toIntExact(images.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    images.copyFrom(stream, values);
  }

  private static List<Lasting> lasting(Architecture net, TrainingState state) {
    List<Lasting> list = new ArrayList<>();
    for (Parameter parameter : net.parameters().all()) {
      String name = parameter.name();
      list.add(new Lasting(name, TensorTraffic.Kind.WEIGHTS, state.values().of(parameter)));
      list.add(
          new Lasting(
              name + " average", TensorTraffic.Kind.OPTIMIZER, state.average().of(parameter)));
      if (parameter.kind().trained()) {
        list.add(
            new Lasting(
                name + " gradient", TensorTraffic.Kind.GRADIENTS, state.gradients().of(parameter)));
        list.add(
            new Lasting(
                name + " momentum", TensorTraffic.Kind.OPTIMIZER, state.state0().of(parameter)));
        list.add(
            new Lasting(
                name + " mean square", TensorTraffic.Kind.OPTIMIZER, state.state1().of(parameter)));
      }
    }
    return list;
  }

  private static long saved(Program program, int forwardSteps) {
    Set<Value> written = new LinkedHashSet<>();
    Set<Value> kept = new LinkedHashSet<>();
    for (int s = 0; s < program.steps().size(); s++) {
      Step step = program.steps().get(s);
      if (s < forwardSteps) {
        written.addAll(step.writes());
      } else {
        step.reads().stream().filter(written::contains).forEach(kept::add);
        // What a backward step writes anew, in place or not, is saved no longer.
        written.removeAll(step.writes());
      }
    }
    return kept.stream().mapToLong(Value::bytes).sum();
  }

  private static List<StepTraffic> program(
      Stream stream, Program program, int forwardSteps, List<Lasting> lasting) {
    Meter meter = new Meter(stream);
    List<StepTraffic> found = new ArrayList<>();
    for (int s = 0; s < program.steps().size(); s++) {
      Step step = program.steps().get(s);
      Set<Value> values = new LinkedHashSet<>();
      values.addAll(step.reads());
      values.addAll(step.writes());
      List<Value> list = List.copyOf(values);
      int next = watch(meter, lasting);
      for (int i = 0; i < list.size(); i++) {
        meter.watch(program.tensor(list.get(i)), next + i);
      }
      Tensor workspace = program.workspace(s);
      if (workspace != null) {
        meter.watch(workspace, next + list.size());
      }
      program.run(s);
      List<TensorTraffic> tensors = new ArrayList<>();
      for (int i = 0; i < list.size(); i++) {
        Value value = list.get(i);
        if (value.bytes() > 0) {
          tensors.add(
              new TensorTraffic(
                  value.name(),
                  TensorTraffic.Kind.VALUES,
                  step.reads().contains(value) ? value.bytes() : 0,
                  step.writes().contains(value) ? value.bytes() : 0,
                  meter.read(next + i)));
        }
      }
      if (workspace != null) {
        tensors.add(
            new TensorTraffic(
                "workspace", TensorTraffic.Kind.WORKSPACE, 0, 0, meter.read(next + list.size())));
      }
      tensors.addAll(moved(meter, lasting));
      var phase = s < forwardSteps ? StepTraffic.Phase.FORWARD : StepTraffic.Phase.BACKWARD;
      found.add(
          new StepTraffic(step.name(), phase, tensors, meter.launches(), meter.unwatchedBytes()));
      meter.reset();
    }
    return found;
  }

  private static List<StepTraffic> optimizer(
      Stream stream, Architecture net, TrainingState state, List<Lasting> lasting) {
    Optimizer optimizer = new Optimizer(OptimizerSettings.rmsProp(RMSPROP_DECAY, RMSPROP_EPSILON));
    ParameterTable.Builder builder = ParameterTable.builder(stream);
    for (Parameter parameter : net.parameters().all()) {
      Tensor value = state.values().of(parameter);
      Tensor average = state.average().of(parameter);
      if (parameter.kind().trained()) {
        builder.add(
            value,
            state.gradients().of(parameter),
            state.state0().of(parameter),
            state.state1().of(parameter),
            average,
            0,
            1);
      } else {
        builder.addAverageOnly(value, average);
      }
    }
    try (ParameterTable table = builder.build()) {
      long bytes = optimizer.workspaceBytes(stream, table);
      try (Tensor workspace = Tensor.allocate(stream.device(), DType.U8, Math.max(1, bytes))) {
        List<Lasting> all = new ArrayList<>(lasting);
        all.add(new Lasting("workspace", TensorTraffic.Kind.WORKSPACE, workspace));
        return List.of(
            once(
                stream,
                "optimizer examine",
                all,
                () -> optimizer.examine(stream, table, state.lossScale(), workspace)),
            once(
                stream,
                "optimizer step",
                all,
                () -> optimizer.step(stream, table, state.step(), state.lossScale())));
      }
    }
  }

  private static StepTraffic once(Stream stream, String name, List<Lasting> lasting, Runnable run) {
    Meter meter = new Meter(stream);
    watch(meter, lasting);
    run.run();
    return new StepTraffic(
        name,
        StepTraffic.Phase.OPTIMIZER,
        moved(meter, lasting),
        meter.launches(),
        meter.unwatchedBytes());
  }

  /** Watches every lasting tensor under its place in the list; returns the first free id. */
  private static int watch(Meter meter, List<Lasting> lasting) {
    for (int i = 0; i < lasting.size(); i++) {
      meter.watch(lasting.get(i).tensor(), i);
    }
    return lasting.size();
  }

  private static List<TensorTraffic> moved(Meter meter, List<Lasting> lasting) {
    List<TensorTraffic> tensors = new ArrayList<>();
    for (int i = 0; i < lasting.size(); i++) {
      Lasting item = lasting.get(i);
      Meter.Traffic moved = meter.read(i);
      if (moved.requestedBytes() > 0) {
        boolean needed = item.kind() != TensorTraffic.Kind.WORKSPACE;
        tensors.add(
            new TensorTraffic(
                item.name(),
                item.kind(),
                needed && moved.requestedReadBytes() > 0 ? item.tensor().bytes() : 0,
                needed && moved.requestedWrittenBytes() > 0 ? item.tensor().bytes() : 0,
                moved));
      }
    }
    return tensors;
  }
}
