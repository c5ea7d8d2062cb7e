// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

/**
 * timm's names of one MBConv block's layers, without {@code .weight}. In a block without expansion
 * {@code conv_pw} and {@code bn1} are the projection and the depthwise BatchNorm.
 */
public record BlockNames(
    String expand,
    String expandNorm,
    String depthwise,
    String depthwiseNorm,
    String reduce,
    String excite,
    String project,
    String projectNorm) {

  /**
   * Names of a block.
   *
   * @param block the block
   * @return its layers' names
   */
  public static BlockNames of(MBConv block) {
    String p = block.prefix() + ".";
    if (block.expands()) {
      return new BlockNames(
          p + "conv_pw",
          p + "bn1",
          p + "conv_dw",
          p + "bn2",
          p + "se.conv_reduce",
          p + "se.conv_expand",
          p + "conv_pwl",
          p + "bn3");
    }
    return new BlockNames(
        null,
        null,
        p + "conv_dw",
        p + "bn1",
        p + "se.conv_reduce",
        p + "se.conv_expand",
        p + "conv_pw",
        p + "bn2");
  }
}
