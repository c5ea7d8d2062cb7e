// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import io.fusewire.ops.Activation;
import java.util.List;
import java.util.Objects;

/** Options of an {@link EfficientNet}; every setter checks its value and returns the builder. */
public final class EfficientNetBuilder extends ArchitectureBuilder<EfficientNetBuilder> {
  Scaling scaling = new Scaling(1.0, 1.0);
  List<Stage> stages = Stage.B0;
  int stemChannels = 32;
  int headChannels = 1280;
  boolean fixedEnds = false;
  Activation activation = Activation.SILU;
  boolean squeezeRelu = false;

  EfficientNetBuilder() {
    name = "b0";
    dropout = 0.2;
    dropConnect = 0.2;
    padding = Padding.SAME;
    batchNormEpsilon = 1e-3;
    batchNormMomentum = 0.01;
  }

  EfficientNetBuilder(EfficientNetBuilder other) {
    super(other);
    scaling = other.scaling;
    stages = other.stages;
    stemChannels = other.stemChannels;
    headChannels = other.headChannels;
    fixedEnds = other.fixedEnds;
    activation = other.activation;
    squeezeRelu = other.squeezeRelu;
  }

  @Override
  EfficientNetBuilder self() {
    return this;
  }

  /**
   * Sets width and depth factors.
   *
   * @param scaling the factors
   * @return this
   */
  public EfficientNetBuilder scaling(Scaling scaling) {
    this.scaling = Objects.requireNonNull(scaling, "scaling");
    return this;
  }

  /**
   * Sets the unscaled channels of the stem; before {@link #stages}, whose first takes them.
   *
   * @param channels 1 to 8192
   * @return this
   */
  public EfficientNetBuilder stem(int channels) {
    this.stemChannels = inRange("stem channels", channels, 1, 8192);
    return this;
  }

  /**
   * Sets the unscaled channels of the head.
   *
   * @param channels 1 to 65536
   * @return this
   */
  public EfficientNetBuilder head(int channels) {
    this.headChannels = inRange("head channels", channels, 1, 65_536);
    return this;
  }

  /**
   * Chooses whether stem, head and the repeats of the first and last stage stay unscaled, as those
   * of EfficientNet-Lite do.
   *
   * @param fixedEnds true for unscaled
   * @return this
   */
  public EfficientNetBuilder fixedEnds(boolean fixedEnds) {
    this.fixedEnds = fixedEnds;
    return this;
  }

  /**
   * Sets the unscaled block table.
   *
   * @param stages at least one; each stage's input channels are the output channels of the one
   *     before, the first one's those of the stem
   * @return this
   */
  public EfficientNetBuilder stages(List<Stage> stages) {
    checkTable(stages);
    this.stages = List.copyOf(stages);
    return this;
  }

  private void checkTable(List<Stage> table) {
    if (table.isEmpty()) {
      throw new IllegalArgumentException("the block table needs at least one stage");
    }
    int channels = stemChannels;
    for (int s = 0; s < table.size(); s++) {
      if (table.get(s).inChannels() != channels) {
        throw new IllegalArgumentException(
            "stage %d takes %d channels, but %d come out before it"
                .formatted(s, table.get(s).inChannels(), channels));
      }
      channels = table.get(s).outChannels();
    }
  }

  /**
   * Sets the activation after every convolution but those that end a block with a projection.
   *
   * @param activation {@link Activation#SILU}, {@link Activation#RELU} or {@link Activation#RELU6}
   * @return this
   */
  public EfficientNetBuilder activation(Activation activation) {
    if (activation == Activation.IDENTITY) {
      throw new IllegalArgumentException("a network without activation is one linear map");
    }
    this.activation = Objects.requireNonNull(activation, "activation");
    return this;
  }

  /**
   * Chooses ReLU instead of SiLU inside squeeze-and-excite.
   *
   * @param squeezeRelu true for ReLU
   * @return this
   */
  public EfficientNetBuilder squeezeRelu(boolean squeezeRelu) {
    this.squeezeRelu = squeezeRelu;
    return this;
  }

  @Override
  public EfficientNet build() {
    checkTable(stages);
    return new EfficientNet(this);
  }
}
