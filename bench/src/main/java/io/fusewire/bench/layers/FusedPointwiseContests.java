// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import static io.fusewire.bench.layers.SharedTensor.Form.IMAGE;
import static io.fusewire.bench.layers.SharedTensor.Form.POINTWISE_WEIGHTS;

import io.fusewire.ops.Activation;
import io.fusewire.ops.FusedPointwise;
import io.fusewire.ops.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Pointwise convolutions between two BatchNorms in training. A projection's source is a raw tensor
 * that is normalised, activated and gated; the others' is taken as it is.
 */
final class FusedPointwiseContests {
  private final Scene scene;
  private final Stream stream;
  private final Problem problem;
  private final long inChannels;
  private final long outChannels;
  private final double operations;
  private final NormedSource normed;
  private final SharedTensor x;
  private final SharedTensor gate;
  private final SharedTensor weights;
  private final FusedPointwise conv;
  private final io.fusewire.ops.Tensor workspace;

  private FusedPointwiseContests(Scene scene) {
    this.scene = scene;
    stream = scene.stream();
    problem = scene.problem();
    inChannels = problem.inChannels();
    outChannels = problem.outChannels();
    long pixels = (long) problem.height() * problem.width();
    operations = 2.0 * scene.batch() * pixels * inChannels * outChannels;
    boolean gated = problem.layer() == Layer.PROJECT;
    long[] image = scene.image(false, inChannels);
    normed = gated ? NormedSource.of(scene, image) : null;
    x = gated ? normed.raw() : scene.in(IMAGE, image);
    gate = gated ? scene.in(POINTWISE_WEIGHTS, scene.batch(), inChannels) : null;
    weights =
        scene.in(POINTWISE_WEIGHTS, 1 / Math.sqrt(problem.inChannels()), outChannels, inChannels);
    conv =
        new FusedPointwise(
            scene.batch(),
            pixels,
            inChannels,
            outChannels,
            scene.dtype(),
            gated ? Activation.SILU : Activation.IDENTITY,
            (float) Torch.EPSILON,
            0.1f);
    workspace = scene.workspace(conv.workspaceBytes(stream));
  }

  /** The contest of an operation; null if it is none of these. */
  static Contest of(Operation operation, Scene scene) {
    return switch (operation) {
      case FUSED_FORWARD -> new FusedPointwiseContests(scene).forward();
      case FUSED_BACKWARD -> new FusedPointwiseContests(scene).backward();
      default -> null;
    };
  }

  private void prepareSource() {
    if (normed != null) {
      normed.prepare();
    }
  }

  private io.fusewire.ops.Tensor sourceTable(int place) {
    return normed == null ? null : normed.table().ours(place);
  }

  private io.fusewire.ops.Tensor sourceGate(int place) {
    return gate == null ? null : gate.ours(place);
  }

  /** What libtorch convolves; makes it of the raw source where there is one. */
  private Tensor activated(int place) {
    return normed == null
        ? x.torch(place)
        : torch.silu_(normed.normalised(place)).mul_(gate.torch(place));
  }

  private Contest forward() {
    NormedResult y = NormedResult.of(scene, scene.image(true, outChannels));
    return y.contest(
        this::prepareSource,
        p ->
            conv.forward(
                stream,
                x.ours(p),
                sourceTable(p),
                sourceGate(p),
                weights.ours(p),
                y.gamma().ours(p),
                y.beta().ours(p),
                null,
                null,
                y.raw().ours(p),
                y.table().ours(p),
                workspace),
        p -> Torch.conv(problem, activated(p), weights.torch(p), null),
        operations);
  }

  private Contest backward() {
    NormedSource y = NormedSource.of(scene, scene.image(true, outChannels));
    SharedTensor dy = scene.in(IMAGE, scene.image(true, outChannels));
    SharedTensor dx = scene.out(IMAGE, scene.image(false, inChannels));
    SharedTensor dw = scene.out(POINTWISE_WEIGHTS, outChannels, inChannels);
    OutGradient gradient = new OutGradient(scene, y, Activation.IDENTITY);
    // What libtorch keeps of the forward pass.
    SharedTensor kept = normed == null ? x : scene.libtorchs(IMAGE, scene.image(false, inChannels));
    Contest.LibtorchCall theirs =
        p -> {
          var norm = y.gradients(dy.torch(p), p);
          var both = Torch.gradients(problem, norm.get0(), kept.torch(p), weights.torch(p));
          return new Tensor[] {both.get0(), both.get1(), norm.get1(), norm.get2()};
        };
    return Contest.prepared(
        () -> {
          prepareSource();
          if (scene.libtorch()) {
            if (normed != null) {
              kept.torch(0).copy_(activated(0));
            }
            y.raw().torch(0).copy_(Torch.conv(problem, kept.torch(0), weights.torch(0), null));
          }
          y.prepare();
        },
        p -> {
          gradient.run(dy, p);
          conv.backward(
              stream,
              x.ours(p),
              sourceTable(p),
              sourceGate(p),
              dy.ours(p),
              null,
              y.raw().ours(p),
              y.table().ours(p),
              gradient.table().ours(p),
              weights.ours(p),
              null,
              dx.ours(p),
              dw.ours(p),
              workspace);
        },
        theirs,
        2 * operations,
        dx,
        dw,
        gradient.diffGamma(),
        gradient.diffBeta());
  }
}
