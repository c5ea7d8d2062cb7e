// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Architecture;
import io.fusewire.model.Block;
import io.fusewire.model.ConvNorm;
import io.fusewire.model.MBConv;
import io.fusewire.model.Squeeze;
import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DType;
import io.fusewire.ops.DenseConv;
import io.fusewire.ops.Gate;
import io.fusewire.ops.GatedPointwise;
import io.fusewire.ops.MeanPool;
import io.fusewire.ops.PointwiseConv;
import io.fusewire.ops.SqueezedDepthwise;
import io.fusewire.ops.SqueezedGate;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

/**
 * Lists the inference steps of a network up to its pooled features, by reading its block table, and
 * gives every prepared weight a place in one buffer. Of a block, nothing of an activation's size is
 * stored but the expanded tensor, unless that stays on chip, and the depthwise convolution's
 * result.
 */
final class InferenceLayers {
  private final Stream stream;
  private final Architecture net;
  private final DType dtype;
  private final List<Step> steps;
  private final Set<Expansion> onChip;
  private final List<Loader> loaders = new ArrayList<>();
  private final List<Slot> slots = new ArrayList<>();
  private long weightBytes;
  private Tensor buffer;

  /** Fills one slot from folded weights. */
  private interface Loader {
    void load(FoldedWeights folded, Tensor buffer);
  }

  /** A place in the weight buffer. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Slot(long offset, DType type, long... shape) {
    Tensor tensor(Tensor buffer) {
      return buffer.slice(offset, type, shape);
    }
  }

  /** What a depthwise convolution with the squeeze in its epilogue leaves. */
  private record Squeezed(Value dst, Value sums) {}

  /** A pointwise convolution's weights as {@link PointwiseConv#pack} writes them, and its bias. */
  private record Packed(Slot weights, Slot bias) {}

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
  }

  long weightBytes() {
    return weightBytes;
  }

  /** The prepared weights, once they have their memory. */
  List<Tensor> weights() {
    return slots.stream().map(s -> s.tensor(buffer)).toList();
  }

  void bind(Tensor weights) {
    buffer = weights;
  }

  void load(FoldedWeights folded, Tensor weights) {
    loaders.forEach(l -> l.load(folded, weights));
  }

  private Slot reserve(DType type, long... shape) {
    Slot slot = new Slot(weightBytes, type, shape);
    slots.add(slot);
    long bytes = type.bytes();
    for (long extent : shape) {
      bytes *= extent;
    }
    weightBytes += (bytes + MemoryPlan.ALIGNMENT - 1) / MemoryPlan.ALIGNMENT * MemoryPlan.ALIGNMENT;
    return slot;
  }

  /** A place for a parameter that is used as it is. */
  Slot slot(String name, long... shape) {
    Slot slot = reserve(DType.F32, shape);
    loaders.add((folded, weights) -> slot.tensor(weights).copyFrom(stream, folded.plain(name)));
    return slot;
  }

  /** Adds all steps; returns the pooled features (batch, channels), f32. */
  Value add(Value input) {
    Value x = input;
    for (ConvNorm layer : net.stem()) {
      x = dense(layer, x);
    }
    for (Block block : net.blocks()) {
      x = block(block, x);
    }
    if (net.head().isPresent()) {
      x = pointwise(net.head().get(), x);
    }
    return pool(x);
  }

  private Value block(Block block, Value input) {
    if (!(block instanceof MBConv mbconv)) {
      throw new UnsupportedOperationException(
          block.prefix() + ": dense convolutions are not in the inference graph");
    }
    List<ConvNorm> layers = block.convolutions();
    ConvNorm depthwise = layers.get(layers.size() - 2);
    boolean expands = mbconv.expands();
    ConvShape shape = Shapes.conv(net, depthwise, input.size(0), input.size(1), input.size(2));
    boolean inKernel = expands && onChip.contains(new Expansion(shape, block.inChannels(), dtype));
    Value x = expands && !inKernel ? pointwise(layers.get(0), input) : input;
    Squeezed squeezed = depthwise(shape, depthwise, x, inKernel ? layers.get(0) : null);
    Value gate = block.squeeze().map(squeeze -> gate(squeeze, squeezed)).orElse(null);
    return project(
        layers.get(layers.size() - 1), squeezed.dst(), gate, block.residual() ? input : null);
  }

  private Value dense(ConvNorm layer, Value src) {
    ConvShape shape = Shapes.conv(net, layer, src);
    DenseConv conv = new DenseConv(shape, dtype, layer.activation());
    Value dst = Shapes.output(layer.conv(), dtype, shape);
    int kernel = layer.kernel();
    Slot weights = reserve(DType.F32, layer.outChannels(), kernel, kernel, layer.inChannels());
    Slot bias = reserve(DType.F32, layer.outChannels());
    loadFolded(layer, weights, bias);
    add(
        layer.conv(),
        List.of(src),
        dst,
        conv.workspaceBytes(stream),
        m -> {
          var x = m.of(src);
          var y = m.of(dst);
          var w = weights.tensor(buffer);
          var b = bias.tensor(buffer);
          var workspace = m.workspace();
          return () -> conv.forward(stream, x, w, b, y, workspace);
        });
    return dst;
  }

  /**
   * A depthwise convolution, with the sums that a gate needs, and with the expansion before it if
   * that is not a step of its own.
   */
  private Squeezed depthwise(ConvShape shape, ConvNorm layer, Value src, ConvNorm expansion) {
    int kernel = layer.kernel();
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
    Packed packed = expands ? packed(expansion) : null;
    Slot weights = reserve(DType.F32, kernel, kernel, channels);
    Slot bias = reserve(DType.F32, channels);
    loadFolded(layer, weights, bias);
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
              var w1 = expands ? packed.weights().tensor(buffer) : null;
              var b1 = expands ? packed.bias().tensor(buffer) : null;
              var w2 = weights.tensor(buffer);
              var b2 = bias.tensor(buffer);
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
    Slot reduceWeights = slot(squeeze.reduce() + ".weight", width, channels);
    Slot reduceBias = slot(squeeze.reduce() + ".bias", width);
    Slot expandWeights = slot(squeeze.expand() + ".weight", channels, width);
    Slot expandBias = slot(squeeze.expand() + ".bias", channels);
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
              var w1 = reduceWeights.tensor(buffer);
              var b1 = reduceBias.tensor(buffer);
              var w2 = expandWeights.tensor(buffer);
              var b2 = expandBias.tensor(buffer);
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
    Packed packed = packed(layer);
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
          var w = packed.weights().tensor(buffer);
          var b = packed.bias().tensor(buffer);
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
    Packed packed = packed(layer);
    add(
        layer.conv(),
        List.of(src),
        dst,
        0,
        m -> {
          var x = m.of(src);
          var y = m.of(dst);
          var w = packed.weights().tensor(buffer);
          var b = packed.bias().tensor(buffer);
          return () -> conv.forwardPacked(stream, x, w, b, null, y);
        });
    return dst;
  }

  /** Places for a pointwise convolution's folded and packed weights and its bias. */
  private Packed packed(ConvNorm layer) {
    int in = layer.inChannels();
    int out = layer.outChannels();
    PointwiseConv packing = new PointwiseConv(1, in, out, dtype, Activation.IDENTITY);
    Slot packed = reserve(DType.U8, packing.packedBytes(stream));
    Slot bias = reserve(DType.F32, out);
    loaders.add(
        (folded, weights) -> {
          FoldedWeights.Layer values = folded.fold(layer.conv(), layer.norm());
          try (Tensor plain = Tensor.allocate(stream.device(), DType.F32, out, in)) {
            plain.copyFrom(stream, values.weights());
            packing.pack(stream, plain, packed.tensor(weights));
            bias.tensor(weights).copyFrom(stream, values.bias());
            stream.synchronize();
          }
        });
    return new Packed(packed, bias);
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

  private void loadFolded(ConvNorm layer, Slot weights, Slot bias) {
    loaders.add(
        (folded, target) -> {
          FoldedWeights.Layer values = folded.fold(layer.conv(), layer.norm());
          weights.tensor(target).copyFrom(stream, values.weights());
          bias.tensor(target).copyFrom(stream, values.bias());
        });
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
