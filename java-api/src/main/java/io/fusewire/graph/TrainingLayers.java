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

  private TrainingLayers(Context context, List<Operation> operations) {
    this.context = context;
    this.operations = operations;
  }

  /**
   * Adds all operations before the head.
   *
   * @return the value that the head reads
   */
  static Value add(Context context, Value input, int firstLayer, List<Operation> operations) {
    TrainingLayers layers = new TrainingLayers(context, operations);
    EfficientNet net = context.net();
    ConvShape shape = convShape(net, input, net.stemChannels(), 3, 2);
    Value stem = layers.like("conv_stem", shape);
    operations.add(new StemOperation(context, "conv_stem", shape, input, stem));
    Value x = layers.norm("bn1", Activation.SILU, stem);
    int layer = firstLayer;
    for (Block block : net.blocks()) {
      x = layers.block(block, layer++, x);
    }
    Value raw = layers.pointwise("conv_head", net.headChannels(), x);
    return layers.norm("bn2", Activation.SILU, raw);
  }

  private Value block(Block block, int layer, Value input) {
    BlockNames names = BlockNames.of(block);
    Value x = input;
    if (block.expands()) {
      x = pointwise(names.expand(), block.expandedChannels(), x);
      x = norm(names.expandNorm(), Activation.SILU, x);
    }
    ConvShape shape =
        convShape(context.net(), x, block.expandedChannels(), block.kernel(), block.stride());
    Value depthwise = like(names.depthwise(), shape);
    operations.add(new DepthwiseOperation(context, names.depthwise(), shape, x, depthwise));
    x = norm(names.depthwiseNorm(), Activation.SILU, depthwise);
    Value excited = new Value(block.prefix() + ".se", x.dtype(), x.shape());
    operations.add(
        new SqueezeExciteOperation(
            context, names.reduce(), names.excite(), block.squeezedChannels(), x, excited));
    x = pointwise(names.project(), block.outChannels(), excited);
    x = norm(names.projectNorm(), Activation.IDENTITY, x);
    if (block.residual()) {
      operations.add(
          new ResidualOperation(context, block.prefix(), block.dropConnect(), layer, x, input));
    }
    return x;
  }

  private Value pointwise(String name, long outChannels, Value src) {
    Value dst = new Value(name, src.dtype(), src.size(0), src.size(1), src.size(2), outChannels);
    operations.add(new PointwiseOperation(context, name, src, dst));
    return dst;
  }

  private Value norm(String name, Activation activation, Value src) {
    Value dst = new Value(name, src.dtype(), src.shape());
    operations.add(new NormOperation(context, name, activation, src, dst));
    return dst;
  }

  private Value like(String name, ConvShape shape) {
    return new Value(
        name,
        context.dtype(),
        shape.batch(),
        shape.outHeight(),
        shape.outWidth(),
        shape.outChannels());
  }

  /** A square convolution over a value, padded as the network pads. */
  static ConvShape convShape(
      EfficientNet net, Value src, long outChannels, long kernel, long stride) {
    return switch (net.padding()) {
      case SAME ->
          ConvShape.same(
              src.size(0), src.size(1), src.size(2), src.size(3), outChannels, kernel, stride);
      case SYMMETRIC ->
          ConvShape.symmetric(
              src.size(0), src.size(1), src.size(2), src.size(3), outChannels, kernel, stride);
    };
  }
}
