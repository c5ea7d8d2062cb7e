// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import java.util.List;
import java.util.Objects;

/** Options of an {@link EfficientNet}; every setter checks its value and returns the builder. */
public final class EfficientNetBuilder {
  String name = "b0";
  Scaling scaling = new Scaling(1.0, 1.0);
  List<Stage> stages = Stage.B0;
  int resolution = 224;
  int classes = 1000;
  int inputChannels = 3;
  double dropout = 0.2;
  int samples = 1;
  boolean averageLogits = false;
  double dropConnect = 0.2;
  boolean squeezeRelu = false;
  Padding padding = Padding.SAME;
  double batchNormEpsilon = 1e-3;
  double batchNormMomentum = 0.01;

  EfficientNetBuilder() {}

  EfficientNetBuilder(EfficientNetBuilder other) {
    name = other.name;
    scaling = other.scaling;
    stages = other.stages;
    resolution = other.resolution;
    classes = other.classes;
    inputChannels = other.inputChannels;
    dropout = other.dropout;
    samples = other.samples;
    averageLogits = other.averageLogits;
    dropConnect = other.dropConnect;
    squeezeRelu = other.squeezeRelu;
    padding = other.padding;
    batchNormEpsilon = other.batchNormEpsilon;
    batchNormMomentum = other.batchNormMomentum;
  }

  /**
   * Sets the name used in files and tables.
   *
   * @param name not blank
   * @return this
   */
  public EfficientNetBuilder name(String name) {
    if (name.isBlank()) {
      throw new IllegalArgumentException("a model's name is not blank");
    }
    this.name = name;
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
   * Sets the unscaled block table.
   *
   * @param stages at least one; each stage's input channels are the output channels of the one
   *     before
   * @return this
   */
  public EfficientNetBuilder stages(List<Stage> stages) {
    if (stages.isEmpty()) {
      throw new IllegalArgumentException("the block table needs at least one stage");
    }
    int channels = EfficientNet.STEM_CHANNELS;
    for (int s = 0; s < stages.size(); s++) {
      if (stages.get(s).inChannels() != channels) {
        throw new IllegalArgumentException(
            "stage %d takes %d channels, but %d come out before it"
                .formatted(s, stages.get(s).inChannels(), channels));
      }
      channels = stages.get(s).outChannels();
    }
    this.stages = List.copyOf(stages);
    return this;
  }

  /**
   * Sets the height and width of the input images.
   *
   * @param resolution pixels, 1 to 8192
   * @return this
   */
  public EfficientNetBuilder resolution(int resolution) {
    this.resolution = inRange("resolution", resolution, 1, 8192);
    return this;
  }

  /**
   * Sets the number of classes.
   *
   * @param classes 1 to 1,000,000
   * @return this
   */
  public EfficientNetBuilder classes(int classes) {
    this.classes = inRange("classes", classes, 1, 1_000_000);
    return this;
  }

  /**
   * Sets the channels of the input images.
   *
   * @param inputChannels 1 (grey) to 4
   * @return this
   */
  public EfficientNetBuilder inputChannels(int inputChannels) {
    this.inputChannels = inRange("input channels", inputChannels, 1, 4);
    return this;
  }

  /**
   * Sets dropout before the classifier.
   *
   * @param dropout probability, 0 up to but not 1
   * @return this
   */
  public EfficientNetBuilder dropout(double dropout) {
    this.dropout = probability("dropout", dropout);
    return this;
  }

  /**
   * Sets the number of dropout samples of the head.
   *
   * @param samples 1 to 64
   * @return this
   */
  public EfficientNetBuilder samples(int samples) {
    this.samples = inRange("dropout samples", samples, 1, 64);
    return this;
  }

  /**
   * Chooses between averaging the samples' losses (the paper's way) and their logits.
   *
   * @param averageLogits true for logits
   * @return this
   */
  public EfficientNetBuilder averageLogits(boolean averageLogits) {
    this.averageLogits = averageLogits;
    return this;
  }

  /**
   * Sets the drop-connect rate that grows with depth.
   *
   * @param dropConnect probability, 0 up to but not 1
   * @return this
   */
  public EfficientNetBuilder dropConnect(double dropConnect) {
    this.dropConnect = probability("drop-connect", dropConnect);
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

  /**
   * Sets how convolutions pad.
   *
   * @param padding the padding
   * @return this
   */
  public EfficientNetBuilder padding(Padding padding) {
    this.padding = Objects.requireNonNull(padding, "padding");
    return this;
  }

  /**
   * Sets BatchNorm's constants. The official ones are 1e-3 and 0.01; timm's {@code efficientnet_b*}
   * have 1e-5 and 0.1.
   *
   * @param epsilon added to the variance, above 0
   * @param momentum weight of the newest batch in the running statistics, above 0 and at most 1
   * @return this
   */
  public EfficientNetBuilder batchNorm(double epsilon, double momentum) {
    if (!(epsilon > 0 && epsilon < 1 && momentum > 0 && momentum <= 1)) {
      throw new IllegalArgumentException(
          "BatchNorm's epsilon lies between 0 and 1 and its momentum is above 0 and at most 1, not "
              + epsilon
              + " and "
              + momentum);
    }
    this.batchNormEpsilon = epsilon;
    this.batchNormMomentum = momentum;
    return this;
  }

  /**
   * Makes the network.
   *
   * @return an immutable architecture
   */
  public EfficientNet build() {
    return new EfficientNet(this);
  }

  private static int inRange(String what, int value, int low, int high) {
    if (value < low || value > high) {
      throw new IllegalArgumentException(
          "%s: %d does not lie between %d and %d".formatted(what, value, low, high));
    }
    return value;
  }

  private static double probability(String what, double value) {
    if (!(value >= 0 && value < 1)) {
      throw new IllegalArgumentException(
          what + " is a probability of at least 0 and below 1, not " + value);
    }
    return value;
  }
}
