// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import java.util.Objects;

/**
 * Options that every {@link Architecture} has; every setter checks its value and returns the
 * builder.
 *
 * @param <B> the builder's own type
 */
public abstract sealed class ArchitectureBuilder<B extends ArchitectureBuilder<B>>
    permits EfficientNetBuilder, ResNetBuilder {
  String name;
  int resolution = 224;
  int classes = 1000;
  int inputChannels = 3;
  double dropout;
  int samples = 1;
  boolean averageLogits = false;
  double dropConnect;
  Padding padding;
  double batchNormEpsilon;
  double batchNormMomentum;

  ArchitectureBuilder() {}

  ArchitectureBuilder(ArchitectureBuilder<?> other) {
    name = other.name;
    resolution = other.resolution;
    classes = other.classes;
    inputChannels = other.inputChannels;
    dropout = other.dropout;
    samples = other.samples;
    averageLogits = other.averageLogits;
    dropConnect = other.dropConnect;
    padding = other.padding;
    batchNormEpsilon = other.batchNormEpsilon;
    batchNormMomentum = other.batchNormMomentum;
  }

  abstract B self();

  /**
   * Makes the network.
   *
   * @return an immutable architecture
   */
  public abstract Architecture build();

  /**
   * Sets the name used in files and tables.
   *
   * @param name not blank
   * @return this
   */
  public B name(String name) {
    if (name.isBlank()) {
      throw new IllegalArgumentException("a model's name is not blank");
    }
    this.name = name;
    return self();
  }

  /**
   * Sets the height and width of the input images.
   *
   * @param resolution pixels, 1 to 8192
   * @return this
   */
  public B resolution(int resolution) {
    this.resolution = inRange("resolution", resolution, 1, 8192);
    return self();
  }

  /**
   * Sets the number of classes.
   *
   * @param classes 1 to 1,000,000
   * @return this
   */
  public B classes(int classes) {
    this.classes = inRange("classes", classes, 1, 1_000_000);
    return self();
  }

  /**
   * Sets the channels of the input images.
   *
   * @param inputChannels 1 (grey) to 4
   * @return this
   */
  public B inputChannels(int inputChannels) {
    this.inputChannels = inRange("input channels", inputChannels, 1, 4);
    return self();
  }

  /**
   * Sets dropout before the classifier.
   *
   * @param dropout probability, 0 up to but not 1
   * @return this
   */
  public B dropout(double dropout) {
    this.dropout = probability("dropout", dropout);
    return self();
  }

  /**
   * Sets the number of dropout samples of the head.
   *
   * @param samples 1 to 64
   * @return this
   */
  public B samples(int samples) {
    this.samples = inRange("dropout samples", samples, 1, 64);
    return self();
  }

  /**
   * Chooses between averaging the samples' losses (the paper's way) and their logits.
   *
   * @param averageLogits true for logits
   * @return this
   */
  public B averageLogits(boolean averageLogits) {
    this.averageLogits = averageLogits;
    return self();
  }

  /**
   * Sets the drop-connect rate that grows with depth.
   *
   * @param dropConnect probability, 0 up to but not 1
   * @return this
   */
  public B dropConnect(double dropConnect) {
    this.dropConnect = probability("drop-connect", dropConnect);
    return self();
  }

  /**
   * Sets how convolutions pad.
   *
   * @param padding the padding
   * @return this
   */
  public B padding(Padding padding) {
    this.padding = Objects.requireNonNull(padding, "padding");
    return self();
  }

  /**
   * Sets BatchNorm's constants. The official ones are 1e-3 and 0.01; timm's {@code efficientnet_b*}
   * have 1e-5 and 0.1.
   *
   * @param epsilon added to the variance, above 0
   * @param momentum weight of the newest batch in the running statistics, above 0 and at most 1
   * @return this
   */
  public B batchNorm(double epsilon, double momentum) {
    if (!(epsilon > 0 && epsilon < 1 && momentum > 0 && momentum <= 1)) {
      throw new IllegalArgumentException(
          "BatchNorm's epsilon lies between 0 and 1 and its momentum is above 0 and at most 1, not "
              + epsilon
              + " and "
              + momentum);
    }
    this.batchNormEpsilon = epsilon;
    this.batchNormMomentum = momentum;
    return self();
  }

  static int inRange(String what, int value, int low, int high) {
    if (value < low || value > high) {
      throw new IllegalArgumentException(
          "%s: %d does not lie between %d and %d".formatted(what, value, low, high));
    }
    return value;
  }

  static double probability(String what, double value) {
    if (!(value >= 0 && value < 1)) {
      throw new IllegalArgumentException(
          what + " is a probability of at least 0 and below 1, not " + value);
    }
    return value;
  }
}
