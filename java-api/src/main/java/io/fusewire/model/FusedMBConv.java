// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import io.fusewire.ops.Activation;
import java.util.List;

/**
 * A fused MBConv block of EfficientNetV2 (arXiv 2104.00298): one dense convolution in place of
 * expansion and depthwise convolution, project 1x1, residual. Without expansion the dense
 * convolution is all there is, and its activation comes before the sum.
 *
 * @param stage stage number from 0
 * @param index number within the stage from 0
 * @param kernel kernel of the dense convolution, square, in pixels
 * @param stride its stride in pixels
 * @param inChannels channels of the block's input
 * @param expandedChannels channels after the dense convolution, if another follows
 * @param outChannels channels of the block's output
 * @param activation after the dense convolution
 * @param dropConnect probability with which a sample's branch is dropped in training; only used
 *     with a residual
 */
public record FusedMBConv(
    int stage,
    int index,
    int kernel,
    int stride,
    int inChannels,
    int expandedChannels,
    int outChannels,
    Activation activation,
    double dropConnect)
    implements Block {

  /**
   * Whether a projection follows the dense convolution.
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
    String p = prefix() + ".";
    if (!expands()) {
      return List.of(
          ConvNorm.dense(
              p + "conv", p + "bn1", kernel, stride, inChannels, outChannels, activation));
    }
    return List.of(
        ConvNorm.dense(
            p + "conv_exp", p + "bn1", kernel, stride, inChannels, expandedChannels, activation),
        ConvNorm.dense(
            p + "conv_pwl", p + "bn2", 1, 1, expandedChannels, outChannels, Activation.IDENTITY));
  }
}
