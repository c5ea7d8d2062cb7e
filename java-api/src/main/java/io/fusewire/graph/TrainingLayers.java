// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Architecture;
import io.fusewire.model.Block;
import io.fusewire.model.ConvNorm;
import io.fusewire.model.Shortcut;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.PoolKind;
import java.util.List;

/**
 * Lists the training operations of a network, from its input to the head's features, by reading
 * what its architecture says.
 */
final class TrainingLayers {
  private final Context context;
  private final Architecture net;
  private final List<Operation> operations;
  private Value notKept; // the newest sum, if the backward pass makes it again

  /** What a depthwise convolution leaves; the gate is null if there is none. */
  private record Depthwise(Normed result, Value gate) {}

  /** Who makes the gradient of a convolution's BatchNorm. */
  private enum NormBackward {
    /** The operation that reads the result: a depthwise convolution or the head's pooling. */
    READER,
    /** A pass of its own, which may overwrite the gradient it is given. */
    OWN,
    /** The same, but the way round the block reads that gradient too. */
    OWN_SHARED
  }

  private TrainingLayers(Context context, List<Operation> operations) {
    this.context = context;
    this.net = context.net();
    this.operations = operations;
  }

  /**
   * Adds all operations before the head.
   *
   * @return what the head reads
   */
  static Normed add(Context context, Value input, int firstLayer, List<Operation> operations) {
    TrainingLayers layers = new TrainingLayers(context, operations);
    Normed x = layers.stem(input);
    int layer = firstLayer;
    for (Block block : layers.net.blocks()) {
      x = layers.block(block, layer++, x);
    }
    Normed last = x;
    return layers
        .net
        .head()
        .map(head -> layers.convolution(head, last, null, null, NormBackward.READER))
        .orElse(last);
  }

  private Normed stem(Value input) {
    List<ConvNorm> stem = net.stem();
    Block first = net.blocks().get(0);
    boolean depthwiseNext = !net.stemPool() && isDepthwise(first.convolutions().get(0));
    Normed x = Normed.plain(input);
    for (int i = 0; i < stem.size(); i++) {
      boolean last = i == stem.size() - 1;
      if (i == 0 && last && depthwiseNext && first.residual()) {
        return plainStem(stem.get(0), input);
      }
      NormBackward norm = last && depthwiseNext ? NormBackward.READER : NormBackward.OWN;
      x = convolution(stem.get(i), x, null, null, norm);
    }
    if (!net.stemPool()) {
      return x;
    }
    PoolOperation pool =
        new PoolOperation(context, "maxpool", Shapes.stemPool(x.raw()), PoolKind.MAX, x);
    operations.add(pool);
    return Normed.plain(pool.dst());
  }

  private Normed plainStem(ConvNorm layer, Value input) {
    ConvShape shape = Shapes.conv(net, layer, input);
    Value raw = Shapes.output(layer.conv(), context.dtype(), shape);
    PlainStemOperation plain = new PlainStemOperation(context, layer, shape, input, raw);
    operations.add(plain);
    return Normed.plain(plain.dst());
  }

  private Normed block(Block block, int layer, Normed input) {
    List<ConvNorm> layers = block.convolutions();
    int last = layers.size() - 1;
    Normed x = input;
    Value gate = null;
    for (int i = 0; i < last; i++) {
      ConvNorm conv = layers.get(i);
      if (isDepthwise(conv)) {
        Depthwise depthwise = depthwise(block, conv, x);
        x = depthwise.result();
        gate = depthwise.gate();
      } else {
        boolean byReader = isDepthwise(layers.get(i + 1));
        x = convolution(conv, x, null, null, byReader ? NormBackward.READER : NormBackward.OWN);
      }
    }
    double rate = block.residual() ? block.dropConnect() : 0;
    Value scale = ResidualOperation.imageScale(block.prefix(), rate, context.batch());
    Normed branch =
        convolution(
            layers.get(last),
            x,
            gate,
            scale,
            block.residual() ? NormBackward.OWN_SHARED : NormBackward.OWN);
    if (!block.residual()) {
      return branch;
    }
    Normed skip = block.shortcut().map(s -> shortcut(block, s, input)).orElse(input);
    Value sum = new Value(block.prefix(), context.dtype(), branch.raw().shape());
    // Every second sum of a stage is made again when it is needed, from the one before.
    boolean kept = skip.raw() == notKept;
    notKept = kept ? null : sum;
    operations.add(
        new ResidualOperation(
            context,
            block.prefix(),
            rate,
            layer,
            branch,
            scale,
            skip,
            block.sumActivation(),
            sum,
            kept));
    return Normed.plain(sum);
  }

  private Depthwise depthwise(Block block, ConvNorm layer, Normed src) {
    ConvShape shape = Shapes.conv(net, layer, src.raw());
    Normed dst = normed(layer, shape);
    SqueezeExciteOperation excite =
        block
            .squeeze()
            .map(squeeze -> new SqueezeExciteOperation(context, squeeze, dst))
            .orElse(null);
    operations.add(new DepthwiseOperation(context, layer.conv(), shape, src, dst, excite));
    if (excite == null) {
      return new Depthwise(dst, null);
    }
    operations.add(excite);
    return new Depthwise(dst, excite.gate());
  }

  private Normed shortcut(Block block, Shortcut shortcut, Normed input) {
    Normed x = input;
    if (shortcut.averagePool()) {
      PoolOperation pool =
          new PoolOperation(
              context,
              block.prefix() + " shortcut pool",
              Shapes.shortcutPool(x.raw()),
              PoolKind.AVERAGE,
              x);
      operations.add(pool);
      x = Normed.plain(pool.dst());
    }
    // Its gradient is that of the sum, which the branch reads too.
    return convolution(shortcut.conv(), x, null, null, NormBackward.OWN_SHARED);
  }

  /** A dense or pointwise convolution. */
  private Normed convolution(
      ConvNorm layer, Normed src, Value gate, Value imageScale, NormBackward backward) {
    ConvShape shape = Shapes.conv(net, layer, src.raw());
    Normed dst = normed(layer, shape);
    OwnNormGradient own =
        backward == NormBackward.READER
            ? null
            : new OwnNormGradient(context, dst, backward == NormBackward.OWN_SHARED);
    operations.add(
        layer.kind() == ConvNorm.Kind.POINTWISE
            ? new PointwiseOperation(context, layer.conv(), src, gate, dst, imageScale, own)
            : new DenseOperation(
                context, layer.conv(), shape, src, dst, imageScale, own, operations.isEmpty()));
    return dst;
  }

  private Normed normed(ConvNorm layer, ConvShape shape) {
    return new Normed(
        Shapes.output(layer.conv(), context.dtype(), shape),
        new Norm(context, layer.norm(), layer.activation(), layer.outChannels()));
  }

  private static boolean isDepthwise(ConvNorm layer) {
    return layer.kind() == ConvNorm.Kind.DEPTHWISE;
  }
}
