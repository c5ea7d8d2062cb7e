// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import java.util.List;
import java.util.Objects;

/** Options of a {@link ResNet}; every setter checks its value and returns the builder. */
public final class ResNetBuilder extends ArchitectureBuilder<ResNetBuilder> {
  ResNet.Style style = ResNet.Style.TORCHVISION;
  boolean bottleneck = false;
  List<Integer> repeats = List.of(2, 2, 2, 2);
  int width = 64;

  ResNetBuilder() {
    name = "resnet18";
    dropout = 0;
    dropConnect = 0;
    padding = Padding.SYMMETRIC;
    batchNormEpsilon = 1e-5;
    batchNormMomentum = 0.1;
  }

  ResNetBuilder(ResNetBuilder other) {
    super(other);
    style = other.style;
    bottleneck = other.bottleneck;
    repeats = other.repeats;
    width = other.width;
  }

  @Override
  ResNetBuilder self() {
    return this;
  }

  /**
   * Chooses stem, shortcuts and names.
   *
   * @param style the style
   * @return this
   */
  public ResNetBuilder style(ResNet.Style style) {
    this.style = Objects.requireNonNull(style, "style");
    return this;
  }

  /**
   * Chooses between blocks of two 3x3 convolutions and those of 1x1, 3x3, 1x1.
   *
   * @param bottleneck true for the latter
   * @return this
   */
  public ResNetBuilder bottleneck(boolean bottleneck) {
    this.bottleneck = bottleneck;
    return this;
  }

  /**
   * Sets how many blocks each stage has; every stage but the first halves the image, and doubles
   * the channels.
   *
   * @param repeats 1 to 8 numbers from 1 to 100
   * @return this
   */
  public ResNetBuilder repeats(List<Integer> repeats) {
    if (repeats.isEmpty() || repeats.size() > 8) {
      throw new IllegalArgumentException("a ResNet has 1 to 8 stages, not " + repeats.size());
    }
    repeats.forEach(r -> inRange("blocks of a stage", r, 1, 100));
    this.repeats = List.copyOf(repeats);
    return this;
  }

  /**
   * Sets the channels of the first stage, which are those after the stem too; 64 in published
   * networks.
   *
   * @param width 8 to 1024, a multiple of 8
   * @return this
   */
  public ResNetBuilder width(int width) {
    inRange("width", width, 8, 1024);
    if (width % 8 != 0) {
      throw new IllegalArgumentException("width: " + width + " is not a multiple of 8");
    }
    this.width = width;
    return this;
  }

  @Override
  public ResNet build() {
    return new ResNet(this);
  }
}
