// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

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
