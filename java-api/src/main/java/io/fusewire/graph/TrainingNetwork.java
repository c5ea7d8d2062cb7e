// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Architecture;
import io.fusewire.model.MemoryEstimate;
import io.fusewire.ops.DType;
import io.fusewire.ops.OptimizerSettings;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * A network as a list of training steps: images, forward pass, loss, backward pass. Only raw
 * convolution outputs, sums of residual blocks and per-channel numbers are ever written: BatchNorm,
 * activation and gate are applied on load. Of these sums every second one is kept, the others are
 * made again from what is kept.
 */
public final class TrainingNetwork implements TrainingGraph {
  // Random streams: augmentation, head, then one per block.
  static final int IMAGE_LAYER = 0;
  static final int HEAD_LAYER = 1;
  private static final int FIRST_BLOCK_LAYER = 2;

  private final List<Step> steps = new ArrayList<>();
  private final Value images;
  private final Value input;
  private final Value labels;
  private final HeadOperation head;
  private final int forwardSteps;
  private final MemoryPlan plan;
  private Tensor arena;
  private Program program;

  private TrainingNetwork(Context context, ImageInput from, double labelSmoothing) {
    Architecture net = context.net();
    long batch = context.batch();
    int side = net.resolution();
    input = new Value("input", context.dtype(), batch, side, side, net.inputChannels());
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
      steps.add(from.step(context, images, input, IMAGE_LAYER));
    }
    List<Operation> operations = new ArrayList<>();
    Normed features = TrainingLayers.add(context, input, FIRST_BLOCK_LAYER, operations);
    head = new HeadOperation(context, labelSmoothing, HEAD_LAYER, features, labels);
    operations.add(head);
    operations.forEach(o -> o.forward(steps));
    forwardSteps = steps.size();
    Gradients gradients = new Gradients();
    operations.forEach(o -> o.recomputes(gradients));
    for (int i = operations.size() - 1; i >= 0; i--) {
      operations.get(i).backward(gradients, steps);
    }
    plan = MemoryPlan.of(steps, List.of(images, labels), List.of(head.losses(), head.correct()));
  }

  /**
   * Plans a network's memory and allocates its arena.
   *
   * @param stream where it runs
   * @param net the architecture
   * @param batch images at a time; at least 2, since BatchNorm needs more than one value
   * @param dtype storage type of activations
   * @param images how uint8 images come in; null: {@link #images()} is the normalised input itself
   * @param labelSmoothing share of the target that is spread over all classes
   * @param state parameters and what goes along with them; stays the caller's
   * @return the network, to be closed
   * @throws io.fusewire.ops.FusewireException if the device has too little memory; nothing is
   *     allocated then, and the message has the plan's numbers and what fits
   */
  public static TrainingNetwork open(
      Stream stream,
      Architecture net,
      long batch,
      DType dtype,
      ImageInput images,
      double labelSmoothing,
      TrainingState state) {
    TrainingNetwork network =
        new TrainingNetwork(new Context(stream, net, batch, dtype, state), images, labelSmoothing);
    MemoryLimit.check(
        "training " + net,
        stream.device(),
        MemoryLimit.available(stream.device()),
        new MemoryEstimate(batch, network.plan.arenaBytes(), 0),
        "parameters beside those allocated",
        other ->
            new MemoryEstimate(
                other,
                new TrainingNetwork(new Context(stream, net, other, dtype, null), images, 0)
                    .plan.arenaBytes(),
                0),
        2);
    network.arena = Tensor.allocate(stream.device(), DType.U8, network.plan.arenaBytes());
    network.program = new Program(network.steps, network.plan, network.arena);
    return network;
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
    MemoryPlan plan =
        new TrainingNetwork(new Context(stream, net, batch, dtype, null), images, 0).plan;
    return new MemoryEstimate(
        batch, plan.arenaBytes(), TrainingState.bytes(net.parameters(), kind, withAverage));
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

  /**
   * The steps with their memory, for measuring.
   *
   * @return the program
   */
  public Program program() {
    return program;
  }

  /**
   * Number of steps up to and including the loss; the rest are the backward pass.
   *
   * @return a count
   */
  public int forwardSteps() {
    return forwardSteps;
  }

  @Override
  public void close() {
    arena.close();
  }
}
