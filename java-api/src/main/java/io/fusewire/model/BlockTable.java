// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import java.util.ArrayList;
import java.util.List;

/** Scales the stages of an EfficientNet and lists their blocks. */
final class BlockTable {
  /** Share of a block's input channels that squeeze-and-excite squeezes to. */
  private static final double SQUEEZE_RATIO = 0.25;

  private BlockTable() {}

  static int repeats(EfficientNetBuilder net, int stage) {
    boolean end = stage == 0 || stage == net.stages.size() - 1;
    int repeats = net.stages.get(stage).repeats();
    return net.fixedEnds && end ? repeats : net.scaling.repeats(repeats);
  }

  static int stem(EfficientNetBuilder net) {
    return net.fixedEnds ? net.stemChannels : net.scaling.channels(net.stemChannels);
  }

  static int head(EfficientNetBuilder net) {
    return net.fixedEnds ? net.headChannels : net.scaling.channels(net.headChannels);
  }

  /** The blocks, with a drop-connect rate that grows with depth. */
  static List<Block> of(EfficientNetBuilder net) {
    int total = 0;
    for (int s = 0; s < net.stages.size(); s++) {
      total += repeats(net, s);
    }
    List<Block> blocks = new ArrayList<>(total);
    int in = stem(net);
    for (int s = 0; s < net.stages.size(); s++) {
      int out = net.scaling.channels(net.stages.get(s).outChannels());
      for (int i = 0; i < repeats(net, s); i++) {
        blocks.add(block(net, s, i, in, out, net.dropConnect * blocks.size() / total));
        in = out;
      }
    }
    return List.copyOf(blocks);
  }

  private static Block block(
      EfficientNetBuilder net, int s, int index, int in, int out, double dropConnect) {
    Stage stage = net.stages.get(s);
    int stride = index == 0 ? stage.stride() : 1;
    int expanded = in * stage.expansion();
    int squeezed = Math.max(1, (int) (in * SQUEEZE_RATIO));
    return switch (stage.kind()) {
      case MBCONV, PLAIN_MBCONV ->
          new MBConv(
              s,
              index,
              stage.kernel(),
              stride,
              in,
              expanded,
              stage.kind() == Stage.Kind.MBCONV ? squeezed : 0,
              out,
              net.activation,
              dropConnect);
      case FUSED ->
          new FusedMBConv(
              s, index, stage.kernel(), stride, in, expanded, out, net.activation, dropConnect);
    };
  }
}
