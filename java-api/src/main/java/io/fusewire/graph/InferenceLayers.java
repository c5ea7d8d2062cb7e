// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Block;
import io.fusewire.model.BlockNames;
import io.fusewire.model.EfficientNet;
import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DType;
import io.fusewire.ops.DenseConv;
import io.fusewire.ops.DepthwiseConv;
import io.fusewire.ops.Gate;
import io.fusewire.ops.MeanPool;
import io.fusewire.ops.PointwiseConv;
import io.fusewire.ops.SqueezeExcite;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * Lists the inference steps of an EfficientNet up to its pooled features, by reading its block
 * table, and gives every prepared weight a place in one buffer.
 */
final class InferenceLayers {
  private final Stream stream;
  private final EfficientNet net;
  private final DType dtype;
  private final List<Step> steps;
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

  InferenceLayers(Stream stream, EfficientNet net, DType dtype, List<Step> steps) {
    this.stream = stream;
    this.net = net;
    this.dtype = dtype;
    this.steps = steps;
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
    Value x = stem(input);
    for (Block block : net.blocks()) {
      x = block(block, x);
    }
    x = pointwise("conv_head", "bn2", Activation.SILU, net.headChannels(), x, null);
    return pool(x);
  }

  private Value block(Block block, Value input) {
    BlockNames names = BlockNames.of(block);
    Value x = input;
    if (block.expands()) {
      x =
          pointwise(
              names.expand(),
              names.expandNorm(),
              Activation.SILU,
              block.expandedChannels(),
              x,
              null);
    }
    x = depthwise(names, block, x);
    x = squeezeExcite(names, block, x);
    return pointwise(
        names.project(),
        names.projectNorm(),
        Activation.IDENTITY,
        block.outChannels(),
        x,
        block.residual() ? input : null);
  }

  private Value stem(Value src) {
    ConvShape shape = TrainingLayers.convShape(net, src, net.stemChannels(), 3, 2);
    DenseConv conv = new DenseConv(shape, dtype, Activation.SILU);
    Value dst = output("conv_stem", shape);
    Slot weights = reserve(DType.F32, net.stemChannels(), 3, 3, net.inputChannels());
    Slot bias = reserve(DType.F32, net.stemChannels());
    loadFolded("conv_stem", "bn1", weights, bias);
    add(
        "conv_stem",
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

  private Value depthwise(BlockNames names, Block block, Value src) {
    int kernel = block.kernel();
    ConvShape shape =
        TrainingLayers.convShape(net, src, block.expandedChannels(), kernel, block.stride());
    DepthwiseConv conv = new DepthwiseConv(shape, dtype, Activation.SILU);
    Value dst = output(names.depthwise(), shape);
    Slot weights = reserve(DType.F32, kernel, kernel, block.expandedChannels());
    Slot bias = reserve(DType.F32, block.expandedChannels());
    loadFolded(names.depthwise(), names.depthwiseNorm(), weights, bias);
    add(
        names.depthwise(),
        List.of(src),
        dst,
        0,
        m -> {
          var x = m.of(src);
          var y = m.of(dst);
          var w = weights.tensor(buffer);
          var b = bias.tensor(buffer);
          return () -> conv.forward(stream, x, w, b, y);
        });
    return dst;
  }

  private Value pointwise(
      String name, String norm, Activation activation, long out, Value src, Value residual) {
    long in = src.size(3);
    PointwiseConv conv = new PointwiseConv(src.elements() / in, in, out, dtype, activation);
    // The skip is needed no more after this, so the sum takes its place.
    Value dst =
        residual != null
            ? residual
            : new Value(name, dtype, src.size(0), src.size(1), src.size(2), out);
    Slot packed = reserve(DType.U8, conv.packedBytes(stream));
    Slot bias = reserve(DType.F32, out);
    loaders.add(
        (folded, weights) -> {
          FoldedWeights.Layer layer = folded.fold(name, norm);
          try (Tensor plain = Tensor.allocate(stream.device(), DType.F32, out, in)) {
            plain.copyFrom(stream, layer.weights());
            conv.pack(stream, plain, packed.tensor(weights));
            bias.tensor(weights).copyFrom(stream, layer.bias());
            stream.synchronize();
          }
        });
    add(
        name,
        residual == null ? List.of(src) : List.of(src, residual),
        dst,
        0,
        m -> {
          var x = m.of(src);
          var y = m.of(dst);
          var skip = residual == null ? null : y;
          var w = packed.tensor(buffer);
          var b = bias.tensor(buffer);
          return () -> conv.forwardPacked(stream, x, w, b, skip, y);
        });
    return dst;
  }

  private Value squeezeExcite(BlockNames names, Block block, Value src) {
    long batch = src.size(0);
    long channels = src.size(3);
    long squeezed = block.squeezedChannels();
    SqueezeExcite excite =
        new SqueezeExcite(
            batch,
            src.size(1) * src.size(2),
            channels,
            squeezed,
            dtype,
            net.squeezeRelu() ? Activation.RELU : Activation.SILU,
            Gate.SIGMOID);
    Value dst = new Value(block.prefix() + ".se", dtype, src.shape());
    Value pooled = new Value("pooled", DType.F32, batch, channels);
    Value hidden = new Value("hidden", DType.F32, batch, squeezed);
    Value gate = new Value("gate", DType.F32, batch, channels);
    Slot reduceWeights = slot(names.reduce() + ".weight", squeezed, channels);
    Slot reduceBias = slot(names.reduce() + ".bias", squeezed);
    Slot expandWeights = slot(names.excite() + ".weight", channels, squeezed);
    Slot expandBias = slot(names.excite() + ".bias", channels);
    steps.add(
        new Step(
            block.prefix() + ".se",
            List.of(src),
            List.of(dst, pooled, hidden, gate),
            excite.workspaceBytes(stream),
            m -> {
              var x = m.of(src);
              var y = m.of(dst);
              var p = m.of(pooled);
              var h = m.of(hidden);
              var g = m.of(gate);
              var w1 = reduceWeights.tensor(buffer);
              var b1 = reduceBias.tensor(buffer);
              var w2 = expandWeights.tensor(buffer);
              var b2 = expandBias.tensor(buffer);
              var workspace = m.workspace();
              return () -> excite.forward(stream, x, w1, b1, w2, b2, p, h, g, y, workspace);
            }));
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

  private void loadFolded(String conv, String norm, Slot weights, Slot bias) {
    loaders.add(
        (folded, target) -> {
          FoldedWeights.Layer layer = folded.fold(conv, norm);
          weights.tensor(target).copyFrom(stream, layer.weights());
          bias.tensor(target).copyFrom(stream, layer.bias());
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

  private Value output(String name, ConvShape shape) {
    return new Value(
        name, dtype, shape.batch(), shape.outHeight(), shape.outWidth(), shape.outChannels());
  }
}
