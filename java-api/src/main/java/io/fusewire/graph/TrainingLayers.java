// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Architecture;
import io.fusewire.model.Block;
import io.fusewire.model.ConvNorm;
import io.fusewire.ops.ConvShape;
import java.util.List;
import java.util.Optional;

/**
 * Lists the training operations of a network, from its input to the head's features, by reading
 * what its architecture says.
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
    Architecture net = context.net();
    Normed x = layers.stem(net.stem().get(0), input, net.blocks().get(0));
    int layer = firstLayer;
    for (Block block : net.blocks()) {
      x = layers.block(block, layer++, x);
    }
    Optional<ConvNorm> head = net.head();
    return head.isPresent() ? layers.pointwise(head.get(), x) : x;
  }

  private Normed stem(ConvNorm layer, Value input, Block first) {
    ConvShape shape = Shapes.conv(context.net(), layer, input);
    Normed stem = convolved(layer, shape);
    if (first.residual() && first.convolutions().get(0).kind() == ConvNorm.Kind.DEPTHWISE) {
      PlainStemOperation plain = new PlainStemOperation(context, layer, shape, input, stem.raw());
      operations.add(plain);
      return Normed.plain(plain.dst());
    }
    operations.add(new StemOperation(context, layer.conv(), shape, input, stem));
    return stem;
  }

  private Normed block(Block block, int layer, Normed input) {
    List<ConvNorm> layers = block.convolutions();
    Normed x = input;
    Value gate = null;
    for (int i = 0; i < layers.size() - 1; i++) {
      ConvNorm conv = layers.get(i);
      boolean beforeLast = i == layers.size() - 2;
      if (conv.kind() == ConvNorm.Kind.DEPTHWISE) {
        ConvShape shape = Shapes.conv(context.net(), conv, x.raw());
        Normed depthwise = convolved(conv, shape);
        SqueezeExciteOperation excite =
            beforeLast
                ? block
                    .squeeze()
                    .map(squeeze -> new SqueezeExciteOperation(context, squeeze, depthwise))
                    .orElse(null)
                : null;
        operations.add(new DepthwiseOperation(context, conv.conv(), shape, x, depthwise, excite));
        if (excite != null) {
          operations.add(excite);
          gate = excite.gate();
        }
        x = depthwise;
      } else {
        x = pointwise(conv, x);
      }
    }
    ConvNorm last = layers.get(layers.size() - 1);
    Normed projected = pixelsLike(x, last);
    double rate = block.residual() ? block.dropConnect() : 0;
    Value scale = ResidualOperation.imageScale(block.prefix(), rate, context.batch());
    operations.add(PointwiseOperation.endOfBlock(context, last.conv(), x, gate, projected, scale));
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

  private Normed pointwise(ConvNorm layer, Normed src) {
    if (layer.kind() != ConvNorm.Kind.POINTWISE) {
      throw new UnsupportedOperationException(
          layer.conv() + ": dense convolutions are not in the training graph");
    }
    Normed dst = pixelsLike(src, layer);
    operations.add(new PointwiseOperation(context, layer.conv(), src, dst));
    return dst;
  }

  private Normed pixelsLike(Normed src, ConvNorm layer) {
    Value raw = src.raw();
    Value dst =
        new Value(
            layer.conv(),
            context.dtype(),
            raw.size(0),
            raw.size(1),
            raw.size(2),
            layer.outChannels());
    return new Normed(dst, norm(layer));
  }

  private Normed convolved(ConvNorm layer, ConvShape shape) {
    return new Normed(Shapes.output(layer.conv(), context.dtype(), shape), norm(layer));
  }

  private Norm norm(ConvNorm layer) {
    return new Norm(context, layer.norm(), layer.activation(), layer.outChannels());
  }
}
