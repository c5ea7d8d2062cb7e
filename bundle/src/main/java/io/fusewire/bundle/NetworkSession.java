// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.graph.TrainingNetwork;
import io.fusewire.graph.TrainingState;
import io.fusewire.model.EfficientNet;
import io.fusewire.model.Parameter;
import io.fusewire.ops.DType;
import io.fusewire.ops.Optimizer;
import io.fusewire.ops.OptimizerSettings;
import io.fusewire.ops.ParameterTable;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import io.fusewire.ops.Workspace;
import java.util.SplittableRandom;

/** A network in training whose images, labels and weights are the same on every machine. */
final class NetworkSession implements AutoCloseable {
  static final int BATCH = 4;

  private static final long SEED = 42;
  private static final double LABEL_SMOOTHING = 0.1;

  /** Keeps F16's gradients away from 0; all types have it, so that they can be compared. */
  private static final float LOSS_SCALE = 256;

  private static final float LEARNING_RATE = 1e-3f;
  private static final float MOMENTUM = 0.9f;

  private final Stream stream;
  private final EfficientNet net;
  private final TrainingState state;
  private final TrainingNetwork network;
  private final Optimizer optimizer = new Optimizer(OptimizerSettings.sgd(false));
  private final ParameterTable table;
  private final Workspace workspace;

  NetworkSession(Stream stream, EfficientNet net, DType dtype) {
    this.stream = stream;
    this.net = net;
    state =
        new TrainingState(stream, net.parameters(), OptimizerSettings.Kind.SGD, false, LOSS_SCALE);
    network = TrainingNetwork.open(stream, net, BATCH, dtype, null, LABEL_SMOOTHING, state);
    state.values().load(stream, net.parameters().initialValues(SEED));
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
    table = builder.build();
    workspace = new Workspace(stream.device());
    workspace.reserve(optimizer.workspaceBytes(stream, table));
  }

  /** Normalised images. */
  static float[] images(EfficientNet net) {
    SplittableRandom random = new SplittableRandom(SEED);
    float[] images = new float[BATCH * net.resolution() * net.resolution() * net.inputChannels()];
    for (int i = 0; i < images.length; i++) {
      images[i] = ((random.nextInt() >>> 8) * 0x1p-24f - 0.5f) * 3;
    }
    return images;
  }

  /** Forward and backward pass of a step, in memory that was full of NaN. */
  void run(int step) {
    network.arena().fill(stream, 0xff);
    state.gradients().all().fill(stream, 0xff);
    int[] labels = new int[BATCH];
    for (int i = 0; i < BATCH; i++) {
      labels[i] = (i + step) % net.classes();
    }
    network.images().copyFrom(stream, images(net));
    network.labels().copyFrom(stream, labels);
    state.step().set(stream, SEED, step, LEARNING_RATE, MOMENTUM, 0, 1, 1);
    network.run();
  }

  /** The optimizer's part of a step. */
  void update() {
    optimizer.examine(stream, table, state.lossScale(), workspace.tensor());
    optimizer.step(stream, table, state.step(), state.lossScale());
  }

  float[] losses() {
    return network.losses().toFloats(stream);
  }

  float[] gradient(Parameter parameter) {
    return state.gradients().of(parameter).toFloats(stream);
  }

  Tensor gradients() {
    return state.gradients().all();
  }

  /** What training has changed: parameters and running statistics less their first values. */
  float[] changes() {
    float[] changes = state.values().save(stream);
    float[] first = net.parameters().initialValues(SEED);
    for (int i = 0; i < changes.length; i++) {
      changes[i] -= first[i];
    }
    return changes;
  }

  @Override
  public void close() {
    stream.synchronize();
    workspace.close();
    table.close();
    network.close();
    state.close();
  }
}
