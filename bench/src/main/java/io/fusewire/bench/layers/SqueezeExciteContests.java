// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import static io.fusewire.bench.layers.SharedTensor.Form.IMAGE;
import static io.fusewire.bench.layers.SharedTensor.Form.PLAIN;
import static io.fusewire.bench.layers.SharedTensor.Form.POINTWISE_WEIGHTS;

import io.fusewire.ops.Activation;
import io.fusewire.ops.FusedSqueezeExcite;
import io.fusewire.ops.Gate;
import io.fusewire.ops.SqueezeExcite;
import io.fusewire.ops.SqueezedGate;
import io.fusewire.ops.Stream;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Squeeze-and-excite: alone with its product, and fused, where the product is left to others. */
final class SqueezeExciteContests {
  /** Sums of an image, about as many as depthwise convolutions leave. */
  private static final long CHUNKS = 8;

  private final Scene scene;
  private final Stream stream;
  private final Problem problem;
  private final long batch;
  private final long pixels;
  private final long channels;
  private final long squeezed;
  private final SharedTensor reduceWeights;
  private final SharedTensor reduceBias;
  private final SharedTensor expandWeights;
  private final SharedTensor expandBias;

  private SqueezeExciteContests(Scene scene) {
    this.scene = scene;
    stream = scene.stream();
    problem = scene.problem();
    batch = scene.batch();
    pixels = (long) problem.height() * problem.width();
    channels = problem.inChannels();
    squeezed = problem.outChannels();
    reduceWeights =
        scene.in(POINTWISE_WEIGHTS, 1 / Math.sqrt(problem.inChannels()), squeezed, channels);
    reduceBias = scene.in(PLAIN, squeezed);
    expandWeights =
        scene.in(POINTWISE_WEIGHTS, 1 / Math.sqrt(problem.outChannels()), channels, squeezed);
    expandBias = scene.in(PLAIN, channels);
  }

  /** The contest of an operation; null if the layer has no such operation. */
  static Contest of(Operation operation, Scene scene) {
    return switch (operation) {
      case FORWARD -> new SqueezeExciteContests(scene).forward();
      case BACKWARD -> new SqueezeExciteContests(scene).backward();
      case FUSED_FORWARD -> new SqueezeExciteContests(scene).fusedForward();
      case FUSED_BACKWARD -> new SqueezeExciteContests(scene).fusedBackward();
      case INFERENCE -> new SqueezeExciteContests(scene).inference();
      default -> null;
    };
  }

  /** What the forward pass leaves for the backward pass, small. */
  private record Saved(SharedTensor pooled, SharedTensor hidden, SharedTensor gate) {
    /** libtorch's forward pass at place 0 up to the gate, or just a gate. */
    void prepare(SqueezeExciteContests of, SharedTensor source) {
      if (!of.scene.libtorch()) {
        of.drawGate(gate);
        return;
      }
      Tensor x = source.torch(0);
      pooled.torch(0).copy_(Torch.pooled(x));
      hidden.torch(0).copy_(of.linear(pooled.torch(0), of.reduceWeights, of.reduceBias, 0));
      Tensor active = torch.silu(hidden.torch(0));
      gate.torch(0).copy_(torch.sigmoid(of.linear(active, of.expandWeights, of.expandBias, 0)));
    }
  }

  /** Fills a gate with what a sigmoid could have made. */
  private void drawGate(SharedTensor gate) {
    Random random = new Random(channels);
    float[] values = new float[Math.toIntExact(batch * channels)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (1 / (1 + Math.exp(-random.nextGaussian())));
    }
    gate.ours(0).copyFrom(stream, values);
  }

  private Saved saved() {
    return new Saved(
        scene.in(POINTWISE_WEIGHTS, batch, channels),
        scene.in(POINTWISE_WEIGHTS, batch, squeezed),
        scene.in(POINTWISE_WEIGHTS, batch, channels));
  }

  private Saved results() {
    return new Saved(
        scene.out(POINTWISE_WEIGHTS, batch, channels),
        scene.out(POINTWISE_WEIGHTS, batch, squeezed),
        scene.out(POINTWISE_WEIGHTS, batch, channels));
  }

  private record Gradients(
      SharedTensor reduceWeights,
      SharedTensor reduceBias,
      SharedTensor expandWeights,
      SharedTensor expandBias) {}

  private Gradients gradients() {
    return new Gradients(
        scene.out(POINTWISE_WEIGHTS, squeezed, channels),
        scene.out(PLAIN, squeezed),
        scene.out(POINTWISE_WEIGHTS, channels, squeezed),
        scene.out(PLAIN, channels));
  }

  private Tensor linear(Tensor x, SharedTensor weights, SharedTensor bias, int place) {
    return Torch.conv(problem, x, weights.torch(place), bias.torch(place));
  }

  private Tensor gate(Tensor x, int place) {
    Tensor hidden = torch.silu_(linear(Torch.pooled(x), reduceWeights, reduceBias, place));
    return torch.sigmoid(linear(hidden, expandWeights, expandBias, place));
  }

  private SqueezeExcite plain() {
    return new SqueezeExcite(
        batch, pixels, channels, squeezed, scene.dtype(), Activation.SILU, Gate.SIGMOID);
  }

  private FusedSqueezeExcite fused() {
    return new FusedSqueezeExcite(
        batch,
        pixels,
        channels,
        squeezed,
        scene.dtype(),
        Activation.SILU,
        Activation.SILU,
        Gate.SIGMOID);
  }

  private Contest forward() {
    SharedTensor x = scene.in(IMAGE, scene.image(false, channels));
    SharedTensor y = scene.out(IMAGE, scene.image(true, channels));
    Saved saved = results();
    SqueezeExcite excite = plain();
    var workspace = scene.workspace(excite.workspaceBytes(stream));
    return Contest.of(
        p ->
            excite.forward(
                stream,
                x.ours(p),
                reduceWeights.ours(p),
                reduceBias.ours(p),
                expandWeights.ours(p),
                expandBias.ours(p),
                saved.pooled().ours(p),
                saved.hidden().ours(p),
                saved.gate().ours(p),
                y.ours(p),
                workspace),
        p -> new Tensor[] {torch.mul(x.torch(p), gate(x.torch(p), p))},
        Double.NaN,
        y);
  }

  private Contest backward() {
    SharedTensor x = scene.in(IMAGE, scene.image(false, channels));
    SharedTensor dy = scene.in(IMAGE, scene.image(true, channels));
    SharedTensor dx = scene.out(IMAGE, scene.image(false, channels));
    Saved saved = saved();
    Gradients gradients = gradients();
    SqueezeExcite excite = plain();
    var workspace = scene.workspace(excite.workspaceBytes(stream));
    return Contest.prepared(
        () -> saved.prepare(this, x),
        p ->
            excite.backward(
                stream,
                x.ours(p),
                dy.ours(p),
                reduceWeights.ours(p),
                expandWeights.ours(p),
                saved.pooled().ours(p),
                saved.hidden().ours(p),
                saved.gate().ours(p),
                dx.ours(p),
                gradients.reduceWeights().ours(p),
                gradients.reduceBias().ours(p),
                gradients.expandWeights().ours(p),
                gradients.expandBias().ours(p),
                workspace),
        p -> {
          Tensor[] inner = innerGradients(saved, dy.torch(p), x.torch(p), p);
          Tensor diff = torch.mul(dy.torch(p), saved.gate().torch(p)).add_(inner[0]);
          return new Tensor[] {diff, inner[1], inner[2], inner[3], inner[4]};
        },
        Double.NaN,
        dx,
        gradients.reduceWeights(),
        gradients.reduceBias(),
        gradients.expandWeights(),
        gradients.expandBias());
  }

  /**
   * libtorch's backward pass from the gated product to the mean: the gradient that the mean gives
   * every pixel, then those of reduce weights and bias, expand weights and bias.
   */
  private Tensor[] innerGradients(Saved saved, Tensor diff, Tensor x, int place) {
    Tensor gate = saved.gate().torch(place);
    Tensor hidden = saved.hidden().torch(place);
    Tensor diffGate = Torch.sum(torch.mul(diff, x), Torch.PIXELS);
    Tensor excited = matrix(torch.sigmoid_backward(diffGate, gate));
    Tensor active = matrix(torch.silu(hidden));
    Tensor diffActive = torch.mm(excited, matrix(expandWeights.torch(place)));
    Tensor reduced = torch.silu_backward(diffActive, matrix(hidden));
    Tensor diffPooled = torch.mm(reduced, matrix(reduceWeights.torch(place)));
    return new Tensor[] {
      Torch.scaled(diffPooled, 1.0 / pixels).unsqueeze(-1).unsqueeze(-1),
      torch.mm(reduced.t(), matrix(saved.pooled().torch(place))),
      Torch.sum(reduced, 0),
      torch.mm(excited.t(), active),
      Torch.sum(excited, 0)
    };
  }

  /** Without the axes of size 1 that make it an image. */
  private static Tensor matrix(Tensor image) {
    return image.flatten(1, -1);
  }

  private Contest fusedForward() {
    NormedSource x = NormedSource.of(scene, scene.image(false, channels));
    Saved saved = results();
    FusedSqueezeExcite excite = fused();
    var workspace = scene.workspace(excite.workspaceBytes(stream));
    return Contest.prepared(
        x::prepare,
        p ->
            excite.forward(
                stream,
                x.raw().ours(p),
                x.table().ours(p),
                reduceWeights.ours(p),
                reduceBias.ours(p),
                expandWeights.ours(p),
                expandBias.ours(p),
                saved.pooled().ours(p),
                saved.hidden().ours(p),
                saved.gate().ours(p),
                workspace),
        p -> new Tensor[] {gate(torch.silu_(x.normalised(p)), p)},
        Double.NaN,
        saved.gate());
  }

  private Contest fusedBackward() {
    NormedSource x = NormedSource.of(scene, scene.image(false, channels));
    SharedTensor dy = scene.in(IMAGE, scene.image(true, channels));
    Saved saved = saved();
    Gradients gradients = gradients();
    SharedTensor poolGradient = scene.out(POINTWISE_WEIGHTS, batch, channels);
    SharedTensor diffGamma = scene.out(PLAIN, channels);
    SharedTensor diffBeta = scene.out(PLAIN, channels);
    SharedTensor table = scene.out(PLAIN, 2, channels);
    // What libtorch keeps of the forward pass.
    SharedTensor normed = scene.libtorchs(IMAGE, scene.image(false, channels));
    SharedTensor active = scene.libtorchs(IMAGE, scene.image(false, channels));
    FusedSqueezeExcite excite = fused();
    var workspace = scene.workspace(excite.workspaceBytes(stream));
    return Contest.prepared(
        () -> {
          x.prepare();
          if (scene.libtorch()) {
            normed.torch(0).copy_(x.normalised(0));
            active.torch(0).copy_(torch.silu(normed.torch(0)));
          }
          saved.prepare(this, active);
        },
        p ->
            excite.backward(
                stream,
                x.raw().ours(p),
                x.table().ours(p),
                dy.ours(p),
                reduceWeights.ours(p),
                expandWeights.ours(p),
                saved.pooled().ours(p),
                saved.hidden().ours(p),
                saved.gate().ours(p),
                poolGradient.ours(p),
                gradients.reduceWeights().ours(p),
                gradients.reduceBias().ours(p),
                gradients.expandWeights().ours(p),
                gradients.expandBias().ours(p),
                diffGamma.ours(p),
                diffBeta.ours(p),
                table.ours(p),
                workspace),
        p -> {
          Tensor[] inner = innerGradients(saved, dy.torch(p), active.torch(p), p);
          Tensor diff = torch.mul(dy.torch(p), saved.gate().torch(p)).add_(inner[0]);
          var norm = x.gradients(torch.silu_backward(diff, normed.torch(p)), p);
          return new Tensor[] {
            inner[0], inner[1], inner[2], inner[3], inner[4], norm.get1(), norm.get2()
          };
        },
        Double.NaN,
        poolGradient,
        gradients.reduceWeights(),
        gradients.reduceBias(),
        gradients.expandWeights(),
        gradients.expandBias(),
        diffGamma,
        diffBeta);
  }

  /** The gate from sums that the depthwise convolution left. */
  private Contest inference() {
    long chunks = Math.min(CHUNKS, pixels);
    SharedTensor sums =
        scene.in(PLAIN, Math.sqrt((double) pixels / chunks), batch, chunks, channels);
    Saved saved = results();
    SqueezedGate gate =
        new SqueezedGate(batch, pixels, chunks, channels, squeezed, Activation.SILU, Gate.SIGMOID);
    return Contest.of(
        p ->
            gate.forward(
                stream,
                sums.ours(p),
                reduceWeights.ours(p),
                reduceBias.ours(p),
                expandWeights.ours(p),
                expandBias.ours(p),
                saved.pooled().ours(p),
                saved.hidden().ours(p),
                saved.gate().ours(p)),
        p -> {
          Tensor mean = Torch.scaled(Torch.sum(sums.torch(p), 1), 1.0 / pixels);
          Tensor pooled = mean.squeeze(1).unsqueeze(-1).unsqueeze(-1);
          Tensor hidden = torch.silu_(linear(pooled, reduceWeights, reduceBias, p));
          return new Tensor[] {torch.sigmoid(linear(hidden, expandWeights, expandBias, p))};
        },
        Double.NaN,
        saved.gate());
  }
}
