// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import static io.fusewire.bench.layers.SharedTensor.Form.IMAGE;
import static io.fusewire.bench.layers.SharedTensor.Form.PLAIN;
import static io.fusewire.bench.layers.SharedTensor.Form.POINTWISE_WEIGHTS;

import io.fusewire.ops.Activation;
import io.fusewire.ops.GatedPointwise;
import io.fusewire.ops.PointwiseConv;
import io.fusewire.ops.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Pointwise convolutions alone and in inference, where a projection's source is gated on load. */
final class PointwiseContests {
  private final Scene scene;
  private final Stream stream;
  private final Problem problem;
  private final long rows;
  private final long inChannels;
  private final long outChannels;
  private final double operations;

  private PointwiseContests(Scene scene) {
    this.scene = scene;
    stream = scene.stream();
    problem = scene.problem();
    rows = scene.batch() * problem.height() * problem.width();
    inChannels = problem.inChannels();
    outChannels = problem.outChannels();
    operations = 2.0 * rows * inChannels * outChannels;
  }

  /** The contest of an operation; null if it is none of these. */
  static Contest of(Operation operation, Scene scene) {
    PointwiseContests contests = new PointwiseContests(scene);
    return switch (operation) {
      case FORWARD -> contests.forward();
      case BACKWARD_DATA -> contests.backwardData();
      case BACKWARD_WEIGHTS -> contests.backwardWeights();
      case INFERENCE ->
          scene.problem().layer() == Layer.PROJECT ? contests.projection() : contests.inference();
      default -> null;
    };
  }

  private SharedTensor source() {
    return scene.in(IMAGE, scene.image(false, inChannels));
  }

  private SharedTensor result() {
    return scene.out(IMAGE, scene.image(true, outChannels));
  }

  private SharedTensor weights() {
    return scene.in(
        POINTWISE_WEIGHTS, 1 / Math.sqrt(problem.inChannels()), outChannels, inChannels);
  }

  private PointwiseConv conv(Activation activation) {
    return new PointwiseConv(rows, inChannels, outChannels, scene.dtype(), activation);
  }

  private Contest forward() {
    SharedTensor x = source();
    SharedTensor w = weights();
    SharedTensor y = result();
    PointwiseConv conv = conv(Activation.IDENTITY);
    var workspace = scene.workspace(conv.workspaceBytes(stream));
    return Contest.of(
        p -> conv.forward(stream, x.ours(p), w.ours(p), null, null, y.ours(p), null, workspace),
        p -> new Tensor[] {Torch.conv(problem, x.torch(p), w.torch(p), null)},
        operations,
        y);
  }

  private Contest backwardData() {
    SharedTensor dy = scene.in(IMAGE, scene.image(true, outChannels));
    SharedTensor w = weights();
    SharedTensor dx = scene.out(IMAGE, scene.image(false, inChannels));
    PointwiseConv conv = conv(Activation.IDENTITY);
    var workspace = scene.workspace(conv.workspaceBytes(stream));
    return Contest.of(
        p -> conv.backwardData(stream, dy.ours(p), w.ours(p), null, null, dx.ours(p), workspace),
        p -> new Tensor[] {Torch.dataGradient(problem, dy.torch(p), dx.torch(p), w.torch(p))},
        operations,
        dx);
  }

  private Contest backwardWeights() {
    SharedTensor x = source();
    SharedTensor dy = scene.in(IMAGE, scene.image(true, outChannels));
    SharedTensor dw = scene.out(POINTWISE_WEIGHTS, outChannels, inChannels);
    PointwiseConv conv = conv(Activation.IDENTITY);
    var workspace = scene.workspace(conv.workspaceBytes(stream));
    return Contest.of(
        p -> conv.backwardWeights(stream, x.ours(p), dy.ours(p), null, dw.ours(p), null, workspace),
        p -> new Tensor[] {Torch.weightsGradient(problem, dy.torch(p), x.torch(p), dw.torch(p))},
        operations,
        dw);
  }

  /** Packed weights, bias and SiLU. */
  private Contest inference() {
    SharedTensor x = source();
    SharedTensor w = weights();
    SharedTensor bias = scene.in(PLAIN, outChannels);
    SharedTensor y = result();
    PointwiseConv conv = conv(Activation.SILU);
    var packed = scene.bytes(conv.packedBytes(stream));
    return Contest.prepared(
        () -> conv.pack(stream, w.ours(0), packed),
        p -> conv.forwardPacked(stream, x.ours(p), packed, bias.ours(p), null, y.ours(p)),
        p -> new Tensor[] {torch.silu_(Torch.conv(problem, x.torch(p), w.torch(p), bias.torch(p)))},
        operations,
        y);
  }

  /** Packed weights, gate on load, bias, no activation. */
  private Contest projection() {
    SharedTensor x = source();
    SharedTensor gate = scene.in(POINTWISE_WEIGHTS, scene.batch(), inChannels);
    SharedTensor w = weights();
    SharedTensor bias = scene.in(PLAIN, outChannels);
    SharedTensor y = result();
    GatedPointwise conv =
        new GatedPointwise(
            scene.batch(),
            rows / scene.batch(),
            inChannels,
            outChannels,
            scene.dtype(),
            Activation.IDENTITY);
    PointwiseConv packing = conv(Activation.IDENTITY);
    var packed = scene.bytes(packing.packedBytes(stream));
    return Contest.prepared(
        () -> packing.pack(stream, w.ours(0), packed),
        p -> conv.forward(stream, x.ours(p), gate.ours(p), packed, bias.ours(p), null, y.ours(p)),
        p -> {
          Tensor gated = torch.mul(x.torch(p), gate.torch(p));
          return new Tensor[] {Torch.conv(problem, gated, w.torch(p), bias.torch(p))};
        },
        operations,
        y);
  }
}
