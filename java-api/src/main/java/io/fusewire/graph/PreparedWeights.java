// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.ConvNorm;
import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.DenseConv;
import io.fusewire.ops.PointwiseConv;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * The weights of inference, folded and packed as its kernels read them: every one has a place in
 * one buffer, which is known before there is one.
 */
final class PreparedWeights {
  private final Stream stream;
  private final DType dtype;
  private final List<Loader> loaders = new ArrayList<>();
  private final List<Slot> slots = new ArrayList<>();
  private long bytes;
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

  /** A convolution's weights and its bias. */
  record Layer(Slot weights, Slot bias) {}

  PreparedWeights(Stream stream, DType dtype) {
    this.stream = stream;
    this.dtype = dtype;
  }

  long bytes() {
    return bytes;
  }

  void bind(Tensor weights) {
    buffer = weights;
  }

  void load(FoldedWeights folded, Tensor weights) {
    loaders.forEach(l -> l.load(folded, weights));
  }

  /** The tensor of a place, once there is memory. */
  Tensor of(Slot slot) {
    return slot.tensor(buffer);
  }

  /** All of them, once there is memory. */
  List<Tensor> all() {
    return slots.stream().map(this::of).toList();
  }

  private Slot reserve(DType type, long... shape) {
    Slot slot = new Slot(bytes, type, shape);
    slots.add(slot);
    long size = type.bytes();
    for (long extent : shape) {
      size *= extent;
    }
    bytes += (size + MemoryPlan.ALIGNMENT - 1) / MemoryPlan.ALIGNMENT * MemoryPlan.ALIGNMENT;
    return slot;
  }

  /** A place for a parameter that is used as it is. */
  Slot plain(String name, long... shape) {
    Slot slot = reserve(DType.F32, shape);
    loaders.add((folded, weights) -> slot.tensor(weights).copyFrom(stream, folded.plain(name)));
    return slot;
  }

  /** Places for a depthwise convolution's folded weights and its bias. */
  Layer depthwise(ConvNorm layer) {
    int kernel = layer.kernel();
    Slot weights = reserve(DType.F32, kernel, kernel, layer.outChannels());
    Slot bias = reserve(DType.F32, layer.outChannels());
    loaders.add(
        (folded, target) -> {
          FoldedWeights.Layer values = folded.fold(layer.conv(), layer.norm());
          weights.tensor(target).copyFrom(stream, values.weights());
          bias.tensor(target).copyFrom(stream, values.bias());
        });
    return new Layer(weights, bias);
  }

  /** Places for a pointwise convolution's folded and packed weights and its bias. */
  Layer pointwise(ConvNorm layer) {
    PointwiseConv packing =
        new PointwiseConv(1, layer.inChannels(), layer.outChannels(), dtype, Activation.IDENTITY);
    long[] shape = {layer.outChannels(), layer.inChannels()};
    return packed(
        layer,
        packing.packedBytes(stream),
        shape,
        (plain, packed) -> packing.pack(stream, plain, packed));
  }

  /** Places for a dense convolution's folded and packed weights and its bias. */
  Layer dense(ConvNorm layer, DenseConv packing) {
    int kernel = layer.kernel();
    long[] shape = {layer.outChannels(), kernel, kernel, layer.inChannels()};
    return packed(
        layer,
        packing.packedBytes(stream),
        shape,
        (plain, packed) -> packing.pack(stream, plain, packed));
  }

  private Layer packed(
      ConvNorm layer, long packedBytes, long[] shape, BiConsumer<Tensor, Tensor> pack) {
    Slot packed = reserve(DType.U8, packedBytes);
    Slot bias = reserve(DType.F32, layer.outChannels());
    loaders.add(
        (folded, target) -> {
          FoldedWeights.Layer values = folded.fold(layer.conv(), layer.norm());
          try (Tensor plain = Tensor.allocate(stream.device(), DType.F32, shape)) {
            plain.copyFrom(stream, values.weights());
            pack.accept(plain, packed.tensor(target));
            bias.tensor(target).copyFrom(stream, values.bias());
            stream.synchronize();
          }
        });
    return new Layer(packed, bias);
  }
}
