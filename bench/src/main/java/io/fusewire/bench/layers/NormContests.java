// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import static io.fusewire.bench.layers.SharedTensor.Form.IMAGE;
import static io.fusewire.bench.layers.SharedTensor.Form.PLAIN;

import io.fusewire.ops.Activation;
import io.fusewire.ops.BatchNorm;
import io.fusewire.ops.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The BatchNorm after a convolution as an operation of its own; a projection's is not activated.
 */
final class NormContests {
  private final Scene scene;
  private final Stream stream;
  private final boolean active;
  private final long[] image;
  private final long channels;
  private final BatchNorm norm;
  private final io.fusewire.ops.Tensor workspace;

  private NormContests(Scene scene) {
    this.scene = scene;
    stream = scene.stream();
    active = scene.problem().layer() != Layer.PROJECT;
    channels = scene.problem().outChannels();
    image = scene.image(true, channels);
    norm =
        new BatchNorm(
            image[0] * image[1] * image[2],
            channels,
            scene.dtype(),
            active ? Activation.SILU : Activation.IDENTITY,
            (float) Torch.EPSILON,
            0.1f);
    workspace = scene.workspace(norm.workspaceBytes(stream));
  }

  /** The contest of an operation; null if it is none of these. */
  static Contest of(Operation operation, Scene scene) {
    return switch (operation) {
      case NORM_FORWARD -> new NormContests(scene).forward();
      case NORM_BACKWARD -> new NormContests(scene).backward();
      default -> null;
    };
  }

  private Contest forward() {
    SharedTensor x = scene.in(IMAGE, image);
    SharedTensor gamma = scene.in(PLAIN, channels);
    SharedTensor beta = scene.in(PLAIN, channels);
    SharedTensor mean = scene.out(PLAIN, channels);
    SharedTensor inverse = scene.out(PLAIN, channels);
    SharedTensor y = scene.out(IMAGE, image);
    return Contest.of(
        p ->
            norm.forwardTraining(
                stream,
                x.ours(p),
                gamma.ours(p),
                beta.ours(p),
                null,
                null,
                mean.ours(p),
                inverse.ours(p),
                y.ours(p),
                workspace),
        p -> {
          Tensor out = Torch.trainingNorm(x.torch(p), gamma.torch(p), beta.torch(p));
          return new Tensor[] {active ? torch.silu_(out) : out};
        },
        Double.NaN,
        y);
  }

  private Contest backward() {
    NormedSource x = NormedSource.of(scene, image);
    SharedTensor dy = scene.in(IMAGE, image);
    SharedTensor dx = scene.out(IMAGE, image);
    SharedTensor diffGamma = scene.out(PLAIN, channels);
    SharedTensor diffBeta = scene.out(PLAIN, channels);
    // What libtorch keeps of the forward pass, between BatchNorm and SiLU.
    SharedTensor normed = scene.libtorchs(IMAGE, image);
    return Contest.prepared(
        () -> {
          x.prepare();
          if (scene.libtorch()) {
            normed.torch(0).copy_(x.normalised(0));
          }
        },
        p ->
            norm.backward(
                stream,
                x.raw().ours(p),
                dy.ours(p),
                x.gamma().ours(p),
                x.beta().ours(p),
                x.mean().ours(p),
                x.inverseDeviation().ours(p),
                dx.ours(p),
                diffGamma.ours(p),
                diffBeta.ours(p),
                workspace),
        p -> {
          Tensor diff = active ? torch.silu_backward(dy.torch(p), normed.torch(p)) : dy.torch(p);
          var gradients = x.gradients(diff, p);
          return new Tensor[] {gradients.get0(), gradients.get1(), gradients.get2()};
        },
        Double.NaN,
        dx,
        diffGamma,
        diffBeta);
  }
}
