// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Architecture;
import io.fusewire.model.Block;
import io.fusewire.model.ConvNorm;
import io.fusewire.model.MBConv;
import io.fusewire.model.Shortcut;
import io.fusewire.model.Squeeze;
import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DType;
import io.fusewire.ops.DenseConv;
import io.fusewire.ops.Gate;
import io.fusewire.ops.GatedPointwise;
import io.fusewire.ops.MeanPool;
import io.fusewire.ops.PointwiseConv;
import io.fusewire.ops.Pool;
import io.fusewire.ops.PoolKind;
import io.fusewire.ops.PoolShape;
import io.fusewire.ops.ResidualPlace;
import io.fusewire.ops.SqueezedDepthwise;
import io.fusewire.ops.SqueezedGate;
import io.fusewire.ops.Stream;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

/**
 * Lists the inference steps of a network up to its pooled features, by reading what its
 * architecture says. Of an MBConv block, nothing of an activation's size is stored but the expanded
 * tensor, unless that stays on chip, and the depthwise convolution's result.
 */
final class InferenceLayers {
  private final Stream stream;
  private final Architecture net;
  private final DType dtype;
  private final List<Step> steps;
  private final Set<Expansion> onChip;
  private final PreparedWeights weights;

  /** What a depthwise convolution with the squeeze in its epilogue leaves. */
  private record Squeezed(Value dst, Value sums) {}

  /**
   * Begins a network.
   *
   * @param steps receives the steps
   * @param onChip the expansions that are made inside the depthwise kernel
   */
  InferenceLayers(
      Stream stream, Architecture net, DType dtype, List<Step> steps, Set<Expansion> onChip) {
    this.stream = stream;
    this.net = net;
    this.dtype = dtype;
    this.steps = steps;
    this.onChip = onChip;
    this.weights = new PreparedWeights(stream, dtype);
  }

  /** What the steps read beside values. */
  PreparedWeights weights() {
    return weights;
  }

  /** Adds all steps; returns the pooled features (batch, channels), f32. */
  Value add(Value input) {
    Value x = input;
    for (ConvNorm layer : net.stem()) {
      x = dense(layer, x, null, layer.activation());
    }
    if (net.stemPool()) {
      x = pool("maxpool", Shapes.stemPool(x), PoolKind.MAX, x);
    }
    for (Block block : net.blocks()) {
      x = block instanceof MBConv mbconv ? inverted(mbconv, x) : block(block, x);
    }
    if (net.head().isPresent()) {
      x = pointwise(net.head().get(), x);
    }
    return pool(x);
  }

  private Value inverted(MBConv block, Value input) {
    List<ConvNorm> layers = block.convolutions();
    ConvNorm depthwise = layers.get(layers.size() - 2);
    ConvShape shape = Shapes.conv(net, depthwise, input.size(0), input.size(1), input.size(2));
    boolean inKernel =
        block.expands() && onChip.contains(new Expansion(shape, block.inChannels(), dtype));
    Value x = block.expands() && !inKernel ? pointwise(layers.get(0), input) : input;
    Squeezed squeezed = depthwise(shape, depthwise, x, inKernel ? layers.get(0) : null);
    Value gate = block.squeeze().map(squeeze -> gate(squeeze, squeezed)).orElse(null);
    return project(
        layers.get(layers.size() - 1), squeezed.dst(), gate, block.residual() ? input : null);
  }

  /** A block of dense and pointwise convolutions. */
  private Value block(Block block, Value input) {
    List<ConvNorm> layers = block.convolutions();
    int last = layers.size() - 1;
    Value x = input;
    for (ConvNorm layer : layers.subList(0, last)) {
      x =
          layer.kind() == ConvNorm.Kind.POINTWISE
              ? pointwise(layer, x)
              : dense(layer, x, null, layer.activation());
    }
    ConvNorm end = layers.get(last);
    if (!block.residual()) {
      return end.kind() == ConvNorm.Kind.POINTWISE
          ? project(end, x, null, null)
          : dense(end, x, null, end.activation());
    }
    Value skip = block.shortcut().map(s -> shortcut(block, s, input)).orElse(input);
    return dense(end, x, skip, block.sumActivation());
  }

  private Value shortcut(Block block, Shortcut shortcut, Value input) {
    Value x = input;
    if (shortcut.averagePool()) {
      x =
          pool(
              block.prefix() + " shortcut pool",
              Shapes.shortcutPool(input),
              PoolKind.AVERAGE,
              input);
    }
    ConvNorm layer = shortcut.conv();
    return layer.kind() == ConvNorm.Kind.POINTWISE
        ? project(layer, x, null, null)
        : dense(layer, x, null, layer.activation());
  }

  /**
   * A dense convolution.
   *
   * @param skip what is added; null for nothing. It is needed no more after this, so the sum takes
   *     its place, unless the convolution reads it too
   * @param last activation of the sum, or of the convolution where nothing is added
   */
  private Value dense(ConvNorm layer, Value src, Value skip, Activation last) {
    // Either the branch or the sum has an activation, never both.
    boolean beforeSum = skip != null && layer.activation() != Activation.IDENTITY;
    Activation activation = beforeSum ? layer.activation() : last;
    ResidualPlace place =
        beforeSum ? ResidualPlace.AFTER_ACTIVATION : ResidualPlace.BEFORE_ACTIVATION;
    ConvShape shape = Shapes.conv(net, layer, src);
    DenseConv conv = new DenseConv(shape, dtype, activation);
    boolean inPlace = skip != null && skip != src;
    Value dst = inPlace ? skip : Shapes.output(layer.conv(), dtype, shape);
    PreparedWeights.Layer packed = weights.dense(layer, conv);
    add(
        layer.conv(),
        skip == null ? List.of(src) : List.of(src, skip),
        dst,
        0,
        m -> {
          var x = m.of(src);
          var y = m.of(dst);
          var residual = skip == null ? null : m.of(skip);
          var w = weights.of(packed.weights());
          var b = weights.of(packed.bias());
          return () -> conv.forwardPacked(stream, x, w, b, residual, place, y);
        });
    return dst;
  }

  private Value pool(String name, PoolShape shape, PoolKind kind, Value src) {
    Pool pool = new Pool(shape, kind, dtype, Activation.IDENTITY);
    Value dst = Shapes.output(name, dtype, shape);
    add(
        name,
        List.of(src),
        dst,
        0,
        m -> {
          var x = m.of(src);
          var y = m.of(dst);
          return () -> pool.forward(stream, x, null, y);
        });
    return dst;
  }

  /**
   * A depthwise convolution, with the sums that a gate needs, and with the expansion before it if
   * that is not a step of its own.
   */
  private Squeezed depthwise(ConvShape shape, ConvNorm layer, Value src, ConvNorm expansion) {
    long channels = layer.outChannels();
    long from = src.size(3);
    boolean expands = expansion != null;
    SqueezedDepthwise conv =
        expands
            ? SqueezedDepthwise.expanding(
                shape, dtype, expansion.activation(), from, layer.activation())
            : new SqueezedDepthwise(shape, dtype, layer.activation());
    Value dst = Shapes.output(layer.conv(), dtype, shape);
    Value sums = new Value("sums", DType.F32, shape.batch(), conv.chunks(stream), channels);
    PreparedWeights.Layer packed = expands ? weights.pointwise(expansion) : null;
    PreparedWeights.Layer own = weights.depthwise(layer);
    steps.add(
        new Step(
            layer.conv(),
            List.of(src),
            List.of(dst, sums),
            0,
            m -> {
              var x1 = m.of(src);
              var y = m.of(dst);
              var s = m.of(sums);
              var w1 = expands ? weights.of(packed.weights()) : null;
              var b1 = expands ? weights.of(packed.bias()) : null;
              var w2 = weights.of(own.weights());
              var b2 = weights.of(own.bias());
              return () -> conv.forward(stream, x1, w1, b1, w2, b2, y, s);
            }));
    return new Squeezed(dst, sums);
  }

  private Value gate(Squeeze squeeze, Squeezed squeezed) {
    Value dst = squeezed.dst();
    Value sums = squeezed.sums();
    long batch = dst.size(0);
    long channels = dst.size(3);
    long width = squeeze.squeezed();
    SqueezedGate operation =
        new SqueezedGate(
            batch,
            dst.size(1) * dst.size(2),
            sums.size(1),
            channels,
            width,
            net.squeezeRelu() ? Activation.RELU : Activation.SILU,
            Gate.SIGMOID);
    Value pooled = new Value("pooled", DType.F32, batch, channels);
    Value hidden = new Value("hidden", DType.F32, batch, width);
    Value gate = new Value("gate", DType.F32, batch, channels);
    PreparedWeights.Slot reduceWeights =
        weights.plain(squeeze.reduce() + ".weight", width, channels);
    PreparedWeights.Slot reduceBias = weights.plain(squeeze.reduce() + ".bias", width);
    PreparedWeights.Slot expandWeights =
        weights.plain(squeeze.expand() + ".weight", channels, width);
    PreparedWeights.Slot expandBias = weights.plain(squeeze.expand() + ".bias", channels);
    steps.add(
        new Step(
            squeeze.name(),
            List.of(sums),
            List.of(gate, pooled, hidden),
            0,
            m -> {
              var s = m.of(sums);
              var p = m.of(pooled);
              var h = m.of(hidden);
              var g = m.of(gate);
              var w1 = weights.of(reduceWeights);
              var b1 = weights.of(reduceBias);
              var w2 = weights.of(expandWeights);
              var b2 = weights.of(expandBias);
              return () -> operation.forward(stream, s, w1, b1, w2, b2, p, h, g);
            }));
    return gate;
  }

  private Value project(ConvNorm layer, Value src, Value gate, Value residual) {
    long out = layer.outChannels();
    GatedPointwise conv =
        new GatedPointwise(
            src.size(0), src.size(1) * src.size(2), src.size(3), out, dtype, layer.activation());
    // The skip is needed no more after this, so the sum takes its place.
    Value dst = residual != null ? residual : pixelsLike(src, layer);
    List<Value> reads = new ArrayList<>(List.of(src));
    if (gate != null) {
      reads.add(gate);
    }
    if (residual != null) {
      reads.add(residual);
    }
    PreparedWeights.Layer packed = weights.pointwise(layer);
    add(
        layer.conv(),
        reads,
        dst,
        0,
        m -> {
          var x = m.of(src);
          var g = gate == null ? null : m.of(gate);
          var y = m.of(dst);
          var skip = residual == null ? null : y;
          var w = weights.of(packed.weights());
          var b = weights.of(packed.bias());
          return () -> conv.forward(stream, x, g, w, b, skip, y);
        });
    return dst;
  }

  private Value pixelsLike(Value src, ConvNorm layer) {
    return new Value(
        layer.conv(), dtype, src.size(0), src.size(1), src.size(2), layer.outChannels());
  }

  private Value pointwise(ConvNorm layer, Value src) {
    long in = src.size(3);
    PointwiseConv conv =
        new PointwiseConv(src.elements() / in, in, layer.outChannels(), dtype, layer.activation());
    Value dst = pixelsLike(src, layer);
    PreparedWeights.Layer packed = weights.pointwise(layer);
    add(
        layer.conv(),
        List.of(src),
        dst,
        0,
        m -> {
          var x = m.of(src);
          var y = m.of(dst);
          var w = weights.of(packed.weights());
          var b = weights.of(packed.bias());
          return () -> conv.forwardPacked(stream, x, w, b, null, y);
        });
    return dst;
  }

  private Value pool(Value src) {
    MeanPool pool = new MeanPool(src.size(0), src.size(1) * src.size(2), src.size(3), dtype);
    Value dst = new Value("pooled", DType.F32, src.size(0), src.size(3));
    add(
        "pool",
        List.of(src),
        dst,
        pool.workspaceBytes(stream),
        m -> {
          var x = m.of(src);
          var y = m.of(dst);
          var workspace = m.workspace();
          return () -> pool.forward(stream, x, y, workspace);
        });
    return dst;
  }

  private void add(
      String name,
      List<Value> reads,
      Value dst,
      long workspace,
      Function<Step.Memory, Runnable> bind) {
    steps.add(new Step(name, reads, List.of(dst), workspace, bind));
  }
}
