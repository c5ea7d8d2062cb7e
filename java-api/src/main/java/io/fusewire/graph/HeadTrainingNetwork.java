// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Architecture;
import io.fusewire.model.MemoryEstimate;
import io.fusewire.model.Parameters;
import io.fusewire.ops.DType;
import io.fusewire.ops.OptimizerSettings;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * A network whose classifier alone is trained: the features are computed as {@link
 * InferenceNetwork} does it, with BatchNorm folded in and nothing kept, and only the head has a
 * backward pass. Gradients, optimizer state and moving average are the classifier's alone.
 */
public final class HeadTrainingNetwork implements TrainingGraph {
  private final Architecture net;
  private final List<Step> steps = new ArrayList<>();
  private final InferenceLayers layers;
  private final Value images;
  private final Value labels;
  private final ClassifierOperation head;
  private final MemoryPlan plan;
  private Tensor arena;
  private Tensor weights;
  private Program program;

  private HeadTrainingNetwork(Context context, ImageInput from, double labelSmoothing) {
    net = context.net();
    long batch = context.batch();
    int side = net.resolution();
    Value input = new Value("input", context.dtype(), batch, side, side, net.inputChannels());
    labels = new Value("labels", DType.I32, batch);
    if (from == null) {
      images = input;
    } else {
      images = from.value(batch);
      if (images.size(3) != net.inputChannels()) {
        throw new IllegalArgumentException(
            "images have %d channels, the network takes %d"
                .formatted(images.size(3), net.inputChannels()));
      }
      steps.add(from.step(context, images, input, TrainingNetwork.IMAGE_LAYER));
    }
    // Nothing is measured to decide what is stored, so that a resumed training has the same bits.
    layers = new InferenceLayers(context.stream(), net, context.dtype(), steps, Set.of());
    Value pooled = layers.add(input);
    head =
        new ClassifierOperation(
            context, labelSmoothing, TrainingNetwork.HEAD_LAYER, pooled, labels);
    head.forward(steps);
    head.backward(steps);
    plan = MemoryPlan.of(steps, List.of(images, labels), List.of(head.losses(), head.correct()));
  }

  /**
   * What is trained.
   *
   * @param net the architecture
   * @return weight and bias of its classifier, in a buffer of their own
   */
  public static Parameters trained(Architecture net) {
    return net.parameters().only(p -> p.kind().ofClassifier());
  }

  /**
   * Plans a network's memory and allocates it; its features have no weights yet.
   *
   * @param stream where it runs
   * @param net the architecture
   * @param batch images at a time
   * @param dtype storage type of activations
   * @param images how uint8 images come in; null: {@link #images()} is the normalised input itself
   * @param labelSmoothing share of the target that is spread over all classes
   * @param state of {@link #trained} parameters; stays the caller's
   * @return the network, to be closed
   * @throws io.fusewire.ops.FusewireException if the device has too little memory; nothing is
   *     allocated then, and the message has the plan's numbers and what fits
   */
  public static HeadTrainingNetwork open(
      Stream stream,
      Architecture net,
      long batch,
      DType dtype,
      ImageInput images,
      double labelSmoothing,
      TrainingState state) {
    HeadTrainingNetwork network =
        new HeadTrainingNetwork(
            new Context(stream, net, batch, dtype, state), images, labelSmoothing);
    MemoryLimit.check(
        "training the classifier of " + net,
        stream.device(),
        MemoryLimit.available(stream.device()),
        network.needs(batch, 0),
        "weights",
        other ->
            new HeadTrainingNetwork(new Context(stream, net, other, dtype, null), images, 0)
                .needs(other, 0),
        1);
    network.arena = Tensor.allocate(stream.device(), DType.U8, network.plan.arenaBytes());
    network.weights = Tensor.allocate(stream.device(), DType.U8, network.layers.weights().bytes());
    network.layers.weights().bind(network.weights);
    network.program = new Program(network.steps, network.plan, network.arena);
    return network;
  }

  private MemoryEstimate needs(long batch, long more) {
    return new MemoryEstimate(batch, plan.arenaBytes(), layers.weights().bytes() + more);
  }

  /**
   * Computes how much memory training needs, without allocating any.
   *
   * @param stream a stream of the device
   * @param net the architecture
   * @param batch images at a time
   * @param dtype storage type of activations
   * @param images how uint8 images come in; null: as normalised input
   * @param kind which optimizer, which decides how many states there are
   * @param withAverage whether a moving average is kept
   * @return the plan's numbers
   */
  public static MemoryEstimate estimate(
      Stream stream,
      Architecture net,
      long batch,
      DType dtype,
      ImageInput images,
      OptimizerSettings.Kind kind,
      boolean withAverage) {
    return new HeadTrainingNetwork(new Context(stream, net, batch, dtype, null), images, 0)
        .needs(batch, TrainingState.bytes(trained(net), kind, withAverage));
  }

  /**
   * Folds and prepares the weights of the features. May be called again with others.
   *
   * @param values all parameters and running statistics in the kernels' layouts, placed by {@link
   *     Architecture#parameters()}; the classifier's are not used
   */
  public void load(float[] values) {
    layers.weights().load(new FoldedWeights(net, values), weights);
  }

  @Override
  public void run() {
    program.run();
  }

  @Override
  public Tensor images() {
    return program.tensor(images);
  }

  @Override
  public Tensor labels() {
    return program.tensor(labels);
  }

  @Override
  public Tensor losses() {
    return program.tensor(head.losses());
  }

  @Override
  public Tensor correct() {
    return program.tensor(head.correct());
  }

  @Override
  public Tensor arena() {
    return arena;
  }

  @Override
  public void close() {
    weights.close();
    arena.close();
  }
}
