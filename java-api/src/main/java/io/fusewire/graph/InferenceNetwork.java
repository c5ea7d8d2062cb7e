// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Architecture;
import io.fusewire.model.MemoryEstimate;
import io.fusewire.ops.DType;
import io.fusewire.ops.DropoutHead;
import io.fusewire.ops.ImageBatch;
import io.fusewire.ops.SampleMode;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * A network as a list of inference steps: BatchNorm folded into the convolutions, activation and
 * squeeze in their epilogues, the gate and the residual in the projection. Weights are prepared
 * once, by {@link #load}. On a GPU the network runs as one graph from its second run on.
 */
public final class InferenceNetwork implements AutoCloseable {
  private final Stream stream;
  private final Architecture net;
  private final InferenceLayers layers;
  private final List<Step> steps = new ArrayList<>();
  private final Value images;
  private final Value logits;
  private final Value probabilities;
  private final Value labels;
  private final Value losses;
  private final Value correct;
  private final DropoutHead head;
  private final MemoryPlan plan;
  private Tensor arena;
  private boolean ownsArena;
  private Tensor weights;
  private Program program;
  private Replay replay;

  private InferenceNetwork(
      Stream stream,
      Architecture net,
      long batch,
      DType dtype,
      ImageInput from,
      ExpansionPolicy expansions) {
    Set<Expansion> onChip = expansions.onChip(stream, Expansion.of(net, batch, dtype));
    this.stream = stream;
    this.net = net;
    int side = net.resolution();
    Value input = new Value("input", dtype, batch, side, side, net.inputChannels());
    if (from == null) {
      images = input;
    } else {
      images = from.value(batch);
      if (images.size(3) != net.inputChannels()) {
        throw new IllegalArgumentException(
            "images have %d channels, the network takes %d"
                .formatted(images.size(3), net.inputChannels()));
      }
      ImageBatch operation = from.operation(batch, side, dtype, 0);
      steps.add(
          new Step(
              "images",
              List.of(images),
              List.of(input),
              0,
              m -> {
                var x = m.of(images);
                var y = m.of(input);
                return () -> operation.forward(stream, null, x, y);
              }));
    }
    layers = new InferenceLayers(stream, net, dtype, steps, onChip);
    final Value pooled = layers.add(input);
    logits = new Value("logits", DType.F32, batch, net.classes());
    probabilities = new Value("probabilities", DType.F32, batch, net.classes());
    labels = new Value("labels", DType.I32, batch);
    losses = new Value("losses", DType.F32, batch);
    correct = new Value("correct", DType.I32, batch);
    head =
        new DropoutHead(
            batch, net.features(), net.classes(), 1, 0, 0, SampleMode.AVERAGE_LOSSES, 0);
    var headWeights =
        layers.weights().plain(net.classifier() + ".weight", net.classes(), net.features());
    var headBias = layers.weights().plain(net.classifier() + ".bias", net.classes());
    steps.add(
        new Step(
            "classifier",
            List.of(pooled),
            List.of(logits, probabilities),
            head.workspaceBytes(stream),
            m -> {
              var x = m.of(pooled);
              var z = m.of(logits);
              var p = m.of(probabilities);
              var w = layers.weights().of(headWeights);
              var b = layers.weights().of(headBias);
              var workspace = m.workspace();
              return () -> head.inference(stream, x, w, b, z, p, workspace);
            }));
    plan =
        MemoryPlan.of(
            steps,
            List.of(images, labels, losses, correct),
            List.of(logits, probabilities, labels, losses, correct));
  }

  /**
   * Plans a network's memory and allocates it, with {@link ExpansionPolicy#measured}: the first
   * network of its sizes on a machine takes a little longer, and what two machines or two builds
   * compute may differ in the last bits.
   *
   * @param stream where it runs
   * @param net the architecture
   * @param batch images at a time
   * @param dtype storage type of activations
   * @param images how uint8 images come in; null: {@link #images()} is the normalised input itself
   * @param shared memory to use for activations if it is large enough, such as a training network's
   *     between its runs; or null
   * @return the network without weights, to be closed
   * @throws io.fusewire.ops.FusewireException if the device has too little memory; nothing is
   *     allocated then, and the message has the plan's numbers and what fits
   */
  public static InferenceNetwork open(
      Stream stream, Architecture net, long batch, DType dtype, ImageInput images, Tensor shared) {
    return open(stream, net, batch, dtype, images, shared, ExpansionPolicy.measured());
  }

  /**
   * Plans a network's memory and allocates it.
   *
   * @param stream where it runs
   * @param net the architecture
   * @param batch images at a time
   * @param dtype storage type of activations
   * @param images how uint8 images come in; null: {@link #images()} is the normalised input itself
   * @param shared memory to use for activations if it is large enough, such as a training network's
   *     between its runs; or null
   * @param expansions which expanded tensors are stored; with {@link ExpansionPolicy#STORED} or
   *     {@link ExpansionPolicy#ON_CHIP} results have the same bits in every run
   * @return the network without weights, to be closed
   * @throws io.fusewire.ops.FusewireException if the device has too little memory; nothing is
   *     allocated then, and the message has the plan's numbers and what fits
   */
  public static InferenceNetwork open(
      Stream stream,
      Architecture net,
      long batch,
      DType dtype,
      ImageInput images,
      Tensor shared,
      ExpansionPolicy expansions) {
    InferenceNetwork network = new InferenceNetwork(stream, net, batch, dtype, images, expansions);
    network.ownsArena = shared == null || shared.bytes() < network.plan.arenaBytes();
    network.checkMemory(batch, dtype, images);
    network.arena =
        network.ownsArena
            ? Tensor.allocate(stream.device(), DType.U8, network.plan.arenaBytes())
            : shared;
    network.weights = Tensor.allocate(stream.device(), DType.U8, network.layers.weights().bytes());
    network.layers.weights().bind(network.weights);
    network.program = new Program(network.steps, network.plan, network.arena);
    network.replayAs(Replay.modeFor(stream.device()));
    return network;
  }

  /** Refuses what the device has not enough memory for, before any is allocated. */
  private void checkMemory(long batch, DType dtype, ImageInput from) {
    MemoryLimit.check(
        "inference of " + net,
        stream.device(),
        MemoryLimit.available(stream.device()),
        new MemoryEstimate(batch, ownsArena ? plan.arenaBytes() : 0, layers.weights().bytes()),
        "weights",
        other -> estimate(stream, net, other, dtype, from),
        1);
  }

  /**
   * Computes how much memory inference needs, without allocating any, if every expanded tensor is
   * stored; a network that keeps some on chip needs less.
   *
   * @param stream a stream of the device
   * @param net the architecture
   * @param batch images at a time
   * @param dtype storage type of activations
   * @param images how uint8 images come in; null: as normalised input
   * @return the plan's numbers
   */
  public static MemoryEstimate estimate(
      Stream stream, Architecture net, long batch, DType dtype, ImageInput images) {
    return estimate(stream, net, batch, dtype, images, ExpansionPolicy.STORED);
  }

  /**
   * Computes how much memory inference needs.
   *
   * @param stream a stream of the device
   * @param net the architecture
   * @param batch images at a time
   * @param dtype storage type of activations
   * @param images how uint8 images come in; null: as normalised input
   * @param expansions which expanded tensors are stored; nothing is allocated unless by this
   * @return the plan's numbers
   */
  public static MemoryEstimate estimate(
      Stream stream,
      Architecture net,
      long batch,
      DType dtype,
      ImageInput images,
      ExpansionPolicy expansions) {
    InferenceNetwork network = new InferenceNetwork(stream, net, batch, dtype, images, expansions);
    return new MemoryEstimate(batch, network.plan.arenaBytes(), network.layers.weights().bytes());
  }

  /**
   * Folds and prepares weights. May be called again with others.
   *
   * @param values all parameters and running statistics in the kernels' layouts
   */
  public void load(float[] values) {
    layers.weights().load(new FoldedWeights(net, values), weights);
  }

  /**
   * Chooses how {@link #run} runs, instead of {@link Replay#modeFor}. The bits are the same.
   *
   * @param mode operation by operation, or as a graph
   */
  public void replayAs(Replay.Mode mode) {
    if (replay != null) {
      replay.close();
    }
    replay = new Replay(stream, "inference", program::run, mode);
  }

  /** Runs the network. On a GPU it is only queued. */
  public void run() {
    replay.run();
  }

  /** Computes losses and right answers of the last {@link #run} for {@link #labels()}. */
  public void score() {
    head.crossEntropy(
        stream,
        program.tensor(logits),
        program.tensor(labels),
        program.tensor(losses),
        program.tensor(correct));
  }

  /**
   * Where a batch of images goes before {@link #run}.
   *
   * @return (batch, height, width, channels), uint8 or, without an image input, of the storage type
   */
  public Tensor images() {
    return program.tensor(images);
  }

  /**
   * Where labels go before {@link #score}; negative ones do not count.
   *
   * @return (batch), i32
   */
  public Tensor labels() {
    return program.tensor(labels);
  }

  /**
   * The classifier's outputs, after {@link #run}.
   *
   * @return (batch, classes), f32
   */
  public Tensor logits() {
    return program.tensor(logits);
  }

  /**
   * Their softmax, after {@link #run}.
   *
   * @return (batch, classes), f32
   */
  public Tensor probabilities() {
    return program.tensor(probabilities);
  }

  /**
   * Cross-entropy of every image, after {@link #score}.
   *
   * @return (batch), f32
   */
  public Tensor losses() {
    return program.tensor(losses);
  }

  /**
   * Which images were told rightly, after {@link #score}.
   *
   * @return (batch), i32, 0 or 1
   */
  public Tensor correct() {
    return program.tensor(correct);
  }

  /**
   * The steps with their memory, for measuring.
   *
   * @return the program
   */
  public Program program() {
    return program;
  }

  /**
   * The weights as the steps read them, for measuring.
   *
   * @return slices of one buffer
   */
  public List<Tensor> weights() {
    return layers.weights().all();
  }

  @Override
  public void close() {
    replay.close();
    weights.close();
    if (ownsArena) {
      arena.close();
    }
  }
}
