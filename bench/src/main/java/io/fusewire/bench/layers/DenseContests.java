// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import static io.fusewire.bench.layers.SharedTensor.Form.DENSE_WEIGHTS;
import static io.fusewire.bench.layers.SharedTensor.Form.IMAGE;
import static io.fusewire.bench.layers.SharedTensor.Form.PLAIN;

import io.fusewire.model.Padding;
import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DenseConv;
import io.fusewire.ops.FusedConv;
import io.fusewire.ops.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The stem, a dense convolution of images, which needs no gradient of its source. */
final class DenseContests {
  private final Scene scene;
  private final Stream stream;
  private final Problem problem;
  private final ConvShape shape;
  private final long[] in;
  private final long[] out;
  private final long[] filter;
  private final double operations;

  private DenseContests(Scene scene) {
    this.scene = scene;
    stream = scene.stream();
    problem = scene.problem();
    shape = problem.convolution(scene.batch(), Padding.SYMMETRIC);
    in = scene.image(false, problem.inChannels());
    out = scene.image(true, problem.outChannels());
    int kernel = problem.kernel();
    filter = new long[] {problem.outChannels(), kernel, kernel, problem.inChannels()};
    operations = 2.0 * out[0] * out[1] * out[2] * out[3] * kernel * kernel * in[3];
  }

  /** The contest of an operation; null if the layer has no such operation. */
  static Contest of(Operation operation, Scene scene) {
    DenseContests contests = new DenseContests(scene);
    return switch (operation) {
      case FORWARD -> contests.forward(Activation.IDENTITY);
      case BACKWARD_WEIGHTS -> contests.backwardWeights();
      case FUSED_FORWARD -> contests.fusedForward();
      case FUSED_BACKWARD -> contests.fusedBackward();
      case INFERENCE -> contests.forward(Activation.SILU);
      default -> null;
    };
  }

  private SharedTensor weights() {
    return scene.in(DENSE_WEIGHTS, 0.2, filter);
  }

  /** The convolution alone, or with bias and SiLU. */
  private Contest forward(Activation activation) {
    boolean plain = activation == Activation.IDENTITY;
    SharedTensor x = scene.in(IMAGE, in);
    SharedTensor w = weights();
    SharedTensor bias = plain ? null : scene.in(PLAIN, out[3]);
    SharedTensor y = scene.out(IMAGE, out);
    DenseConv conv = new DenseConv(shape, scene.dtype(), activation);
    var workspace = scene.workspace(conv.workspaceBytes(stream));
    return Contest.of(
        p ->
            conv.forward(
                stream, x.ours(p), w.ours(p), plain ? null : bias.ours(p), y.ours(p), workspace),
        p -> {
          Tensor raw = Torch.conv(problem, x.torch(p), w.torch(p), plain ? null : bias.torch(p));
          return new Tensor[] {plain ? raw : torch.silu_(raw)};
        },
        operations,
        y);
  }

  private Contest backwardWeights() {
    SharedTensor x = scene.in(IMAGE, in);
    SharedTensor dy = scene.in(IMAGE, out);
    SharedTensor dw = scene.out(DENSE_WEIGHTS, filter);
    DenseConv conv = new DenseConv(shape, scene.dtype(), Activation.IDENTITY);
    var workspace = scene.workspace(conv.workspaceBytes(stream));
    return Contest.of(
        p -> conv.backwardWeights(stream, x.ours(p), dy.ours(p), dw.ours(p), null, workspace),
        p -> new Tensor[] {Torch.weightsGradient(problem, dy.torch(p), x.torch(p), dw.torch(p))},
        operations,
        dw);
  }

  private FusedConv fused() {
    return new FusedConv(shape, scene.dtype(), Activation.IDENTITY, (float) Torch.EPSILON, 0.1f);
  }

  private Contest fusedForward() {
    SharedTensor x = scene.in(IMAGE, in);
    SharedTensor w = weights();
    NormedResult y = NormedResult.of(scene, out);
    FusedConv conv = fused();
    var workspace = scene.workspace(conv.workspaceBytes(stream));
    return y.contest(
        () -> {},
        p ->
            conv.forward(
                stream,
                x.ours(p),
                null,
                w.ours(p),
                y.gamma().ours(p),
                y.beta().ours(p),
                null,
                null,
                y.raw().ours(p),
                y.table().ours(p),
                workspace),
        p -> Torch.conv(problem, x.torch(p), w.torch(p), null),
        operations);
  }

  private Contest fusedBackward() {
    SharedTensor x = scene.in(IMAGE, in);
    SharedTensor w = scene.libtorchs(DENSE_WEIGHTS, filter);
    NormedSource y = NormedSource.of(scene, out);
    SharedTensor dy = scene.in(IMAGE, out);
    SharedTensor dw = scene.out(DENSE_WEIGHTS, filter);
    OutGradient gradient = new OutGradient(scene, y, Activation.IDENTITY);
    FusedConv conv = fused();
    var workspace = scene.workspace(conv.workspaceBytes(stream));
    return Contest.prepared(
        () -> {
          if (scene.libtorch()) {
            y.raw().torch(0).copy_(Torch.conv(problem, x.torch(0), w.torch(0), null));
          }
          y.prepare();
        },
        p -> {
          gradient.run(dy, p);
          conv.backwardWeights(
              stream,
              x.ours(p),
              null,
              dy.ours(p),
              null,
              y.raw().ours(p),
              y.table().ours(p),
              gradient.table().ours(p),
              dw.ours(p),
              workspace);
        },
        p -> {
          var norm = y.gradients(dy.torch(p), p);
          Tensor weights = Torch.weightsGradient(problem, norm.get0(), x.torch(p), w.torch(p));
          return new Tensor[] {weights, norm.get1(), norm.get2()};
        },
        operations,
        dw,
        gradient.diffGamma(),
        gradient.diffBeta());
  }
}
