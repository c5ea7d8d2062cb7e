// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import java.util.ArrayList;
import java.util.List;

/**
 * One MBConv block of a scaled network: expand 1x1, depthwise, squeeze-and-excite, project 1x1,
 * residual.
 *
 * @param stage stage number from 0
 * @param index number within the stage from 0
 * @param kernel depthwise kernel, square, in pixels
 * @param stride depthwise stride in pixels
 * @param inChannels channels of the block's input
 * @param expandedChannels channels of the depthwise convolution
 * @param squeezedChannels channels inside squeeze-and-excite
 * @param outChannels channels of the block's output
 * @param dropConnect probability with which a sample's branch is dropped in training; only used
 *     with a residual
 */
public record Block(
    int stage,
    int index,
    int kernel,
    int stride,
    int inChannels,
    int expandedChannels,
    int squeezedChannels,
    int outChannels,
    double dropConnect) {
  /** Share of a block's input channels that squeeze-and-excite squeezes to. */
  private static final double SQUEEZE_RATIO = 0.25;

  /** The blocks of a scaled network, with a drop-connect rate that grows with depth. */
  static List<Block> table(List<Stage> stages, Scaling scaling, double dropConnect) {
    int total = stages.stream().mapToInt(stage -> scaling.repeats(stage.repeats())).sum();
    List<Block> blocks = new ArrayList<>(total);
    for (int s = 0; s < stages.size(); s++) {
      Stage stage = stages.get(s);
      int in = scaling.channels(stage.inChannels());
      int out = scaling.channels(stage.outChannels());
      for (int i = 0; i < scaling.repeats(stage.repeats()); i++) {
        int blockIn = i == 0 ? in : out;
        blocks.add(
            new Block(
                s,
                i,
                stage.kernel(),
                i == 0 ? stage.stride() : 1,
                blockIn,
                blockIn * stage.expansion(),
                Math.max(1, (int) (blockIn * SQUEEZE_RATIO)),
                out,
                dropConnect * blocks.size() / total));
      }
    }
    return List.copyOf(blocks);
  }

  /**
   * Whether there is an expansion convolution.
   *
   * @return true unless the expansion is 1
   */
  public boolean expands() {
    return expandedChannels != inChannels;
  }

  /**
   * Whether the block's input is added to its output.
   *
   * @return true when stride is 1 and the channels stay
   */
  public boolean residual() {
    return stride == 1 && inChannels == outChannels;
  }

  /**
   * Prefix of the block's parameter names in timm's scheme.
   *
   * @return such as {@code blocks.2.1}
   */
  public String prefix() {
    return "blocks." + stage + "." + index;
  }
}
