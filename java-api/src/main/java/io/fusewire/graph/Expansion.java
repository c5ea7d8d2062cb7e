// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Architecture;
import io.fusewire.model.Block;
import io.fusewire.model.ConvNorm;
import io.fusewire.model.MBConv;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DType;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * A pointwise expansion with the depthwise convolution that follows it in a block. Blocks of one
 * size have equal ones.
 *
 * @param depthwise size of the depthwise convolution, the batch included
 * @param inChannels channels before the expansion
 * @param dtype storage type of activations
 */
public record Expansion(ConvShape depthwise, long inChannels, DType dtype) {
  /**
   * The expansions of a network, each size once.
   *
   * @param net the architecture
   * @param batch images at a time
   * @param dtype storage type of activations
   * @return in the order of the blocks
   */
  public static List<Expansion> of(Architecture net, long batch, DType dtype) {
    Set<Expansion> found = new LinkedHashSet<>();
    long side = net.resolution();
    for (ConvNorm layer : net.stem()) {
      side = net.padding().output(side, layer.kernel(), layer.stride());
    }
    if (net.stemPool()) {
      side = (side + 1) / 2;
    }
    for (Block block : net.blocks()) {
      for (ConvNorm layer : block.convolutions()) {
        if (block instanceof MBConv mbconv && mbconv.expands() && isDepthwise(layer)) {
          ConvShape shape = Shapes.conv(net, layer, batch, side, side);
          found.add(new Expansion(shape, block.inChannels(), dtype));
        }
        side = net.padding().output(side, layer.kernel(), layer.stride());
      }
    }
    return List.copyOf(found);
  }

  private static boolean isDepthwise(ConvNorm layer) {
    return layer.kind() == ConvNorm.Kind.DEPTHWISE;
  }

  /**
   * The sizes that set it apart from others.
   *
   * @return such as {@code f32 1x112x112 16>96 3x3/2 pad 0,1,0,1}
   */
  @Override
  public String toString() {
    ConvShape c = depthwise;
    return "%s %dx%dx%d %d>%d %dx%d/%d pad %d,%d,%d,%d"
        .formatted(
            dtype.name().toLowerCase(Locale.ROOT),
            c.batch(),
            c.inHeight(),
            c.inWidth(),
            inChannels,
            c.inChannels(),
            c.kernelHeight(),
            c.kernelWidth(),
            c.strideHeight(),
            c.padTop(),
            c.padBottom(),
            c.padLeft(),
            c.padRight());
  }
}
