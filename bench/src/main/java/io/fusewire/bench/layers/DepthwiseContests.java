// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import static io.fusewire.bench.layers.SharedTensor.Form.DEPTHWISE_WEIGHTS;
import static io.fusewire.bench.layers.SharedTensor.Form.IMAGE;
import static io.fusewire.bench.layers.SharedTensor.Form.PLAIN;
import static io.fusewire.bench.layers.SharedTensor.Form.POINTWISE_WEIGHTS;

import io.fusewire.model.Padding;
import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DepthwiseConv;
import io.fusewire.ops.FusedDepthwise;
import io.fusewire.ops.PointwiseConv;
import io.fusewire.ops.SqueezedDepthwise;
import io.fusewire.ops.Stream;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Depthwise convolutions beside libtorch's grouped ones. */
final class DepthwiseContests {
  private final Scene scene;
  private final Stream stream;
  private final Problem problem;
  private final ConvShape shape;
  private final long channels;
  private final double operations;

  private DepthwiseContests(Scene scene) {
    this.scene = scene;
    stream = scene.stream();
    problem = scene.problem();
    shape = problem.convolution(scene.batch(), Padding.SYMMETRIC);
    channels = problem.inChannels();
    operations =
        2.0
            * shape.batch()
            * shape.outHeight()
            * shape.outWidth()
            * channels
            * problem.kernel()
            * problem.kernel();
  }

  /** The contest of an operation; null if the layer has no such operation. */
  static Contest of(Operation operation, Scene scene) {
    DepthwiseContests contests = new DepthwiseContests(scene);
    return switch (operation) {
      case FORWARD -> contests.forward();
      case BACKWARD_DATA -> contests.backwardData();
      case BACKWARD_WEIGHTS -> contests.backwardWeights();
      case FUSED_FORWARD -> contests.fusedForward();
      case FUSED_BACKWARD -> contests.fusedBackward();
      case INFERENCE -> contests.inference();
      case INFERENCE_EXPANDED -> contests.expandedInference();
      default -> null;
    };
  }

  private SharedTensor weights() {
    int kernel = problem.kernel();
    return scene.in(DEPTHWISE_WEIGHTS, 1.0 / kernel, kernel, kernel, channels);
  }

  private SharedTensor weightsGradient() {
    return scene.out(DEPTHWISE_WEIGHTS, problem.kernel(), problem.kernel(), channels);
  }

  private Contest forward() {
    SharedTensor x = scene.in(IMAGE, scene.image(false, channels));
    SharedTensor w = weights();
    SharedTensor y = scene.out(IMAGE, scene.image(true, channels));
    DepthwiseConv conv = new DepthwiseConv(shape, scene.dtype(), Activation.IDENTITY);
    return Contest.of(
        p -> conv.forward(stream, x.ours(p), w.ours(p), null, y.ours(p)),
        p -> new Tensor[] {Torch.conv(problem, x.torch(p), w.torch(p), null)},
        operations,
        y);
  }

  private Contest backwardData() {
    SharedTensor dy = scene.in(IMAGE, scene.image(true, channels));
    SharedTensor w = weights();
    SharedTensor dx = scene.out(IMAGE, scene.image(false, channels));
    DepthwiseConv conv = new DepthwiseConv(shape, scene.dtype(), Activation.IDENTITY);
    return Contest.of(
        p -> conv.backwardData(stream, dy.ours(p), w.ours(p), dx.ours(p)),
        p -> new Tensor[] {Torch.dataGradient(problem, dy.torch(p), dx.torch(p), w.torch(p))},
        operations,
        dx);
  }

  private Contest backwardWeights() {
    SharedTensor x = scene.in(IMAGE, scene.image(false, channels));
    SharedTensor dy = scene.in(IMAGE, scene.image(true, channels));
    SharedTensor dw = weightsGradient();
    DepthwiseConv conv = new DepthwiseConv(shape, scene.dtype(), Activation.IDENTITY);
    var workspace = scene.workspace(conv.workspaceBytes(stream));
    return Contest.of(
        p -> conv.backwardWeights(stream, x.ours(p), dy.ours(p), dw.ours(p), null, workspace),
        p -> new Tensor[] {Torch.weightsGradient(problem, dy.torch(p), x.torch(p), dw.torch(p))},
        operations,
        dw);
  }

  private FusedDepthwise fused() {
    return new FusedDepthwise(
        shape, scene.dtype(), Activation.SILU, Activation.SILU, (float) Torch.EPSILON, 0.1f);
  }

  private Contest fusedForward() {
    NormedSource x = NormedSource.of(scene, scene.image(false, channels));
    SharedTensor w = weights();
    NormedResult y = NormedResult.of(scene, scene.image(true, channels));
    FusedDepthwise conv = fused();
    var workspace = scene.workspace(conv.workspaceBytes(stream));
    return y.contest(
        x::prepare,
        p ->
            conv.forward(
                stream,
                x.raw().ours(p),
                x.table().ours(p),
                w.ours(p),
                y.gamma().ours(p),
                y.beta().ours(p),
                null,
                null,
                y.raw().ours(p),
                y.table().ours(p),
                workspace),
        p -> Torch.conv(problem, torch.silu_(x.normalised(p)), w.torch(p), null),
        operations);
  }

  private Contest fusedBackward() {
    NormedSource x = NormedSource.of(scene, scene.image(false, channels));
    NormedSource y = NormedSource.of(scene, scene.image(true, channels));
    SharedTensor w = weights();
    SharedTensor dy = scene.in(IMAGE, scene.image(true, channels));
    SharedTensor dx = scene.out(IMAGE, scene.image(false, channels));
    SharedTensor dw = weightsGradient();
    SharedTensor diffGamma = scene.out(PLAIN, channels);
    SharedTensor diffBeta = scene.out(PLAIN, channels);
    SharedTensor gradient = scene.out(PLAIN, 2, channels);
    // What libtorch keeps of the forward pass.
    SharedTensor normedX = scene.libtorchs(IMAGE, scene.image(false, channels));
    SharedTensor activeX = scene.libtorchs(IMAGE, scene.image(false, channels));
    SharedTensor normedY = scene.libtorchs(IMAGE, scene.image(true, channels));
    OutGradient outGradient = new OutGradient(scene, y, Activation.SILU);
    FusedDepthwise conv = fused();
    var workspace = scene.workspace(conv.workspaceBytes(stream));
    return Contest.prepared(
        () -> {
          x.prepare();
          if (scene.libtorch()) {
            normedX.torch(0).copy_(x.normalised(0));
            activeX.torch(0).copy_(torch.silu(normedX.torch(0)));
            y.raw().torch(0).copy_(Torch.conv(problem, activeX.torch(0), w.torch(0), null));
          }
          y.prepare();
          if (scene.libtorch()) {
            normedY.torch(0).copy_(y.normalised(0));
          }
          outGradient.run(dy, 0);
        },
        p ->
            conv.backward(
                stream,
                x.raw().ours(p),
                x.table().ours(p),
                w.ours(p),
                y.raw().ours(p),
                y.table().ours(p),
                outGradient.table().ours(p),
                dy.ours(p),
                null,
                null,
                dx.ours(p),
                dw.ours(p),
                diffGamma.ours(p),
                diffBeta.ours(p),
                gradient.ours(p),
                workspace),
        p -> {
          Tensor normed = torch.silu_backward(dy.torch(p), normedY.torch(p));
          Tensor raw = y.gradients(normed, p).get0();
          var both = Torch.gradients(problem, raw, activeX.torch(p), w.torch(p));
          return new Tensor[] {torch.silu_backward(both.get0(), normedX.torch(p)), both.get1()};
        },
        2 * operations,
        dx,
        dw);
  }

  private Contest inference() {
    SharedTensor x = scene.in(IMAGE, scene.image(false, channels));
    SharedTensor w = weights();
    SharedTensor bias = scene.in(PLAIN, channels);
    SharedTensor y = scene.out(IMAGE, scene.image(true, channels));
    SqueezedDepthwise conv = new SqueezedDepthwise(shape, scene.dtype(), Activation.SILU);
    SharedTensor sums = scene.out(PLAIN, scene.batch(), conv.chunks(stream), channels);
    return new Contest(
        p ->
            conv.forward(
                stream, x.ours(p), null, null, w.ours(p), bias.ours(p), y.ours(p), sums.ours(p)),
        p -> {
          Tensor out = torch.silu_(Torch.conv(problem, x.torch(p), w.torch(p), bias.torch(p)));
          return new Tensor[] {out, Torch.sum(out, Torch.PIXELS)};
        },
        () -> {},
        operations,
        List.of(Result.of(y), new Result(sums, Result.Part.SUMS)));
  }

  /**
   * The expansion before it in the same kernel, its result never stored; null if there is none.
   *
   * @throws io.fusewire.ops.UnsupportedException if the device cannot make it on chip
   */
  private Contest expandedInference() {
    int from = ProblemFile.expandedFrom(problem);
    if (from == 0) {
      return null;
    }
    SharedTensor x = scene.in(IMAGE, scene.image(false, from));
    SharedTensor expandWeights =
        scene.in(POINTWISE_WEIGHTS, 1 / Math.sqrt((double) from), channels, from);
    SharedTensor expandBias = scene.in(PLAIN, channels);
    SharedTensor w = weights();
    SharedTensor bias = scene.in(PLAIN, channels);
    SharedTensor y = scene.out(IMAGE, scene.image(true, channels));
    SqueezedDepthwise conv =
        SqueezedDepthwise.expanding(shape, scene.dtype(), Activation.SILU, from, Activation.SILU);
    SharedTensor sums = scene.out(PLAIN, scene.batch(), conv.chunks(stream), channels);
    long pixels = shape.batch() * shape.inHeight() * shape.inWidth();
    PointwiseConv packing =
        new PointwiseConv(pixels, from, channels, scene.dtype(), Activation.SILU);
    var packed = scene.bytes(packing.packedBytes(stream));
    return new Contest(
        p ->
            conv.forward(
                stream,
                x.ours(p),
                packed,
                expandBias.ours(p),
                w.ours(p),
                bias.ours(p),
                y.ours(p),
                sums.ours(p)),
        p -> {
          Tensor expanded =
              torch.silu_(Torch.pointwise(x.torch(p), expandWeights.torch(p), expandBias.torch(p)));
          Tensor out = torch.silu_(Torch.conv(problem, expanded, w.torch(p), bias.torch(p)));
          return new Tensor[] {out, Torch.sum(out, Torch.PIXELS)};
        },
        () -> packing.pack(stream, expandWeights.ours(0), packed),
        operations + 2.0 * pixels * from * channels,
        List.of(Result.of(y), new Result(sums, Result.Part.SUMS)));
  }
}
