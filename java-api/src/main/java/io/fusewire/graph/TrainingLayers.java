// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Block;
import io.fusewire.model.BlockNames;
import io.fusewire.model.EfficientNet;
import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import java.util.List;

/**
 * Lists the training operations of an EfficientNet, from its input to the head's features, by
 * reading its block table.
 */
final class TrainingLayers {
  private final Context context;
  private final List<Operation> operations;
  private Value notKept; // the newest sum, if the backward pass makes it again

  private TrainingLayers(Context context, List<Operation> operations) {
    this.context = context;
    this.operations = operations;
  }

  /**
   * Adds all operations before the head.
   *
   * @return what the head reads
   */
  static Normed add(Context context, Value input, int firstLayer, List<Operation> operations) {
    TrainingLayers layers = new TrainingLayers(context, operations);
    EfficientNet net = context.net();
    ConvShape shape = convShape(net, input, net.stemChannels(), 3, 2);
    Normed x = layers.stem(shape, input, net.blocks().get(0));
    int layer = firstLayer;
    for (Block block : net.blocks()) {
      x = layers.block(block, layer++, x);
    }
    return layers.pointwise("conv_head", "bn2", net.headChannels(), x);
  }

  private Normed stem(ConvShape shape, Value input, Block first) {
    Normed stem = convolved("conv_stem", "bn1", Activation.SILU, shape);
    if (first.residual() && !first.expands()) {
      PlainStemOperation plain =
          new PlainStemOperation(context, "conv_stem", "bn1", shape, input, stem.raw());
      operations.add(plain);
      return Normed.plain(plain.dst());
    }
    operations.add(new StemOperation(context, "conv_stem", shape, input, stem));
    return stem;
  }

  private Normed block(Block block, int layer, Normed input) {
    BlockNames names = BlockNames.of(block);
    Normed x = input;
    if (block.expands()) {
      x = pointwise(names.expand(), names.expandNorm(), block.expandedChannels(), x);
    }
    ConvShape shape =
        convShape(context.net(), x.raw(), block.expandedChannels(), block.kernel(), block.stride());
    Normed depthwise = convolved(names.depthwise(), names.depthwiseNorm(), Activation.SILU, shape);
    SqueezeExciteOperation excite =
        new SqueezeExciteOperation(
            context, names.reduce(), names.excite(), block.squeezedChannels(), depthwise);
    operations.add(new DepthwiseOperation(context, names.depthwise(), shape, x, depthwise, excite));
    operations.add(excite);
    Normed projected =
        pixelsLike(
            depthwise,
            names.project(),
            block.outChannels(),
            new Norm(context, names.projectNorm(), Activation.IDENTITY, block.outChannels()));
    double rate = block.residual() ? block.dropConnect() : 0;
    Value scale = ResidualOperation.imageScale(block.prefix(), rate, context.batch());
    operations.add(
        PointwiseOperation.endOfBlock(
            context, names.project(), depthwise, excite.gate(), projected, scale));
    if (!block.residual()) {
      return projected;
    }
    Value sum = new Value(block.prefix(), context.dtype(), projected.raw().shape());
    // Every second sum of a stage is made again when it is needed, from the one before.
    boolean kept = input.raw() == notKept;
    notKept = kept ? null : sum;
    operations.add(
        new ResidualOperation(
            context, block.prefix(), rate, layer, projected, scale, input, sum, kept));
    return Normed.plain(sum);
  }

  private Normed pointwise(String name, String norm, long outChannels, Normed src) {
    Normed dst =
        pixelsLike(src, name, outChannels, new Norm(context, norm, Activation.SILU, outChannels));
    operations.add(new PointwiseOperation(context, name, src, dst));
    return dst;
  }

  private Normed pixelsLike(Normed src, String name, long channels, Norm norm) {
    Value raw = src.raw();
    return new Normed(
        new Value(name, context.dtype(), raw.size(0), raw.size(1), raw.size(2), channels), norm);
  }

  private Normed convolved(String name, String norm, Activation activation, ConvShape shape) {
    Value raw =
        new Value(
            name,
            context.dtype(),
            shape.batch(),
            shape.outHeight(),
            shape.outWidth(),
            shape.outChannels());
    return new Normed(raw, new Norm(context, norm, activation, shape.outChannels()));
  }

  /** A square convolution over a value, padded as the network pads. */
  static ConvShape convShape(
      EfficientNet net, Value src, long outChannels, long kernel, long stride) {
    return convShape(
        net, src.size(0), src.size(1), src.size(2), src.size(3), outChannels, kernel, stride);
  }

  static ConvShape convShape(
      EfficientNet net,
      long batch,
      long height,
      long width,
      long inChannels,
      long outChannels,
      long kernel,
      long stride) {
    return switch (net.padding()) {
      case SAME -> ConvShape.same(batch, height, width, inChannels, outChannels, kernel, stride);
      case SYMMETRIC ->
          ConvShape.symmetric(batch, height, width, inChannels, outChannels, kernel, stride);
    };
  }
}
