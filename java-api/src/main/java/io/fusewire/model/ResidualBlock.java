// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import io.fusewire.ops.Activation;
import java.util.List;
import java.util.Optional;

/**
 * A block of a ResNet (arXiv 1512.03385): two 3x3 convolutions, or 1x1, 3x3 and 1x1 with a bottle
 * neck; the stride is in the (first) 3x3. The sum goes through ReLU.
 *
 * @param stage stage number from 0
 * @param index number within the stage from 0
 * @param bottleneck whether there are three convolutions
 * @param style whose names and shortcut it has
 * @param stride stride in pixels
 * @param inChannels channels of the block's input
 * @param width channels between the convolutions
 * @param outChannels channels of the block's output
 * @param dropConnect probability with which a sample's branch is dropped in training
 */
public record ResidualBlock(
    int stage,
    int index,
    boolean bottleneck,
    ResNet.Style style,
    int stride,
    int inChannels,
    int width,
    int outChannels,
    double dropConnect)
    implements Block {
  /** XResNet has its stages after three stem convolutions and the max-pool in one list. */
  static final int FASTAI_STAGE = 4;

  @Override
  public String prefix() {
    return style == ResNet.Style.FASTAI
        ? (FASTAI_STAGE + stage) + "." + index
        : "layer" + (stage + 1) + "." + index;
  }

  @Override
  public boolean residual() {
    return true;
  }

  @Override
  public List<ConvNorm> convolutions() {
    if (bottleneck) {
      return List.of(
          conv(0, 1, 1, inChannels, width, Activation.RELU),
          conv(1, 3, stride, width, width, Activation.RELU),
          conv(2, 1, 1, width, outChannels, Activation.IDENTITY));
    }
    return List.of(
        conv(0, 3, stride, inChannels, width, Activation.RELU),
        conv(1, 3, 1, width, outChannels, Activation.IDENTITY));
  }

  private ConvNorm conv(
      int number, int kernel, int convStride, int in, int out, Activation activation) {
    String p = prefix() + ".";
    return style == ResNet.Style.FASTAI
        ? ConvNorm.dense(
            p + "convpath." + number + ".0",
            p + "convpath." + number + ".1",
            kernel,
            convStride,
            in,
            out,
            activation)
        : ConvNorm.dense(
            p + "conv" + (number + 1),
            p + "bn" + (number + 1),
            kernel,
            convStride,
            in,
            out,
            activation);
  }

  @Override
  public Optional<Shortcut> shortcut() {
    if (stride == 1 && inChannels == outChannels) {
      return Optional.empty();
    }
    boolean pool = style == ResNet.Style.FASTAI && stride != 1;
    String p = style == ResNet.Style.FASTAI ? ".idpath." + (pool ? 1 : 0) : ".downsample";
    return Optional.of(
        new Shortcut(
            pool,
            ConvNorm.dense(
                prefix() + p + ".0",
                prefix() + p + ".1",
                1,
                pool ? 1 : stride,
                inChannels,
                outChannels,
                Activation.IDENTITY)));
  }

  @Override
  public Activation sumActivation() {
    return Activation.RELU;
  }
}
