// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import io.fusewire.ops.Activation;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * An MBConv block of EfficientNet: expand 1x1, depthwise, squeeze-and-excite, project 1x1,
 * residual.
 *
 * @param stage stage number from 0
 * @param index number within the stage from 0
 * @param kernel depthwise kernel, square, in pixels
 * @param stride depthwise stride in pixels
 * @param inChannels channels of the block's input
 * @param expandedChannels channels of the depthwise convolution
 * @param squeezedChannels channels inside squeeze-and-excite; 0 if the block has none
 * @param outChannels channels of the block's output
 * @param activation after the expansion and the depthwise convolution
 * @param dropConnect probability with which a sample's branch is dropped in training; only used
 *     with a residual
 */
public record MBConv(
    int stage,
    int index,
    int kernel,
    int stride,
    int inChannels,
    int expandedChannels,
    int squeezedChannels,
    int outChannels,
    Activation activation,
    double dropConnect)
    implements Block {

  /**
   * Whether there is an expansion convolution.
   *
   * @return true unless the expansion is 1
   */
  public boolean expands() {
    return expandedChannels != inChannels;
  }

  @Override
  public String prefix() {
    return "blocks." + stage + "." + index;
  }

  @Override
  public boolean residual() {
    return stride == 1 && inChannels == outChannels;
  }

  @Override
  public List<ConvNorm> convolutions() {
    BlockNames names = BlockNames.of(this);
    List<ConvNorm> list = new ArrayList<>();
    if (expands()) {
      list.add(
          ConvNorm.dense(
              names.expand(), names.expandNorm(), 1, 1, inChannels, expandedChannels, activation));
    }
    list.add(
        ConvNorm.depthwise(
            names.depthwise(),
            names.depthwiseNorm(),
            kernel,
            stride,
            expandedChannels,
            activation));
    list.add(
        ConvNorm.dense(
            names.project(),
            names.projectNorm(),
            1,
            1,
            expandedChannels,
            outChannels,
            Activation.IDENTITY));
    return List.copyOf(list);
  }

  @Override
  public Optional<Squeeze> squeeze() {
    if (squeezedChannels == 0) {
      return Optional.empty();
    }
    BlockNames names = BlockNames.of(this);
    return Optional.of(
        new Squeeze(
            prefix() + ".se", names.reduce(), names.excite(), expandedChannels, squeezedChannels));
  }
}
