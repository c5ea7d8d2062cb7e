// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import java.util.List;
import java.util.Locale;

/**
 * The architecture of an EfficientNet (arXiv 1905.11946): a block table, scaled, with everything
 * that the ports of it do differently as a choice. Immutable; made by {@link #b0()} to {@link
 * #b7()} or {@link #builder(String)}. Holds no weights and needs no device.
 */
public final class EfficientNet {
  static final int STEM_CHANNELS = 32;
  private static final int HEAD_CHANNELS = 1280;

  private final EfficientNetBuilder options;
  private final List<Block> blocks;
  private final Parameters parameters;

  EfficientNet(EfficientNetBuilder options) {
    this.options = new EfficientNetBuilder(options);
    this.blocks = Block.table(options.stages, options.scaling, options.dropConnect);
    this.parameters = Parameters.of(this);
  }

  /**
   * EfficientNet-B0: 5,288,548 parameters and 0.386 G multiply-adds at 224 pixels.
   *
   * @return a builder with B0's scaling and ImageNet's 1000 classes
   */
  public static EfficientNetBuilder b0() {
    return scaled("b0", 1.0, 1.0, 224, 0.2);
  }

  /**
   * EfficientNet-B1: 7,794,184 parameters, 240 pixels.
   *
   * @return a builder
   */
  public static EfficientNetBuilder b1() {
    return scaled("b1", 1.0, 1.1, 240, 0.2);
  }

  /**
   * EfficientNet-B2: 9,109,994 parameters, 260 pixels.
   *
   * @return a builder
   */
  public static EfficientNetBuilder b2() {
    return scaled("b2", 1.1, 1.2, 260, 0.3);
  }

  /**
   * EfficientNet-B3: 12,233,232 parameters, 300 pixels.
   *
   * @return a builder
   */
  public static EfficientNetBuilder b3() {
    return scaled("b3", 1.2, 1.4, 300, 0.3);
  }

  /**
   * EfficientNet-B4: 19,341,616 parameters, 380 pixels.
   *
   * @return a builder
   */
  public static EfficientNetBuilder b4() {
    return scaled("b4", 1.4, 1.8, 380, 0.4);
  }

  /**
   * EfficientNet-B5: 30,389,784 parameters, 456 pixels.
   *
   * @return a builder
   */
  public static EfficientNetBuilder b5() {
    return scaled("b5", 1.6, 2.2, 456, 0.4);
  }

  /**
   * EfficientNet-B6: 43,040,704 parameters, 528 pixels.
   *
   * @return a builder
   */
  public static EfficientNetBuilder b6() {
    return scaled("b6", 1.8, 2.6, 528, 0.5);
  }

  /**
   * EfficientNet-B7: 66,347,960 parameters, 600 pixels.
   *
   * @return a builder
   */
  public static EfficientNetBuilder b7() {
    return scaled("b7", 2.0, 3.1, 600, 0.5);
  }

  /**
   * A builder by name.
   *
   * @param name {@code b0} to {@code b7}, in any case, with or without {@code efficientnet-} before
   *     it
   * @return a builder
   * @throws IllegalArgumentException if there is no such model; the message lists those there are
   */
  public static EfficientNetBuilder byName(String name) {
    String key = name.toLowerCase(Locale.ROOT).replaceFirst("^efficientnet[-_]?", "");
    return switch (key) {
      case "b0" -> b0();
      case "b1" -> b1();
      case "b2" -> b2();
      case "b3" -> b3();
      case "b4" -> b4();
      case "b5" -> b5();
      case "b6" -> b6();
      case "b7" -> b7();
      default ->
          throw new IllegalArgumentException(
              "there is no model '" + name + "'; there are b0, b1, b2, b3, b4, b5, b6, b7");
    };
  }

  /**
   * A network of one's own, with B0's table and scaling until told otherwise.
   *
   * @param name the name it will have in files and tables
   * @return a builder
   */
  public static EfficientNetBuilder builder(String name) {
    return b0().name(name);
  }

  private static EfficientNetBuilder scaled(
      String name, double width, double depth, int resolution, double dropout) {
    return new EfficientNetBuilder()
        .name(name)
        .scaling(new Scaling(width, depth))
        .resolution(resolution)
        .dropout(dropout);
  }

  /**
   * A builder that starts from this network's options.
   *
   * @return a builder; changing it does not change this network
   */
  public EfficientNetBuilder toBuilder() {
    return new EfficientNetBuilder(options);
  }

  /**
   * Name in files and tables.
   *
   * @return such as {@code b0}
   */
  public String name() {
    return options.name;
  }

  /**
   * Width and depth factors.
   *
   * @return the scaling
   */
  public Scaling scaling() {
    return options.scaling;
  }

  /**
   * The unscaled block table.
   *
   * @return stages, in order
   */
  public List<Stage> stages() {
    return options.stages;
  }

  /**
   * The scaled blocks.
   *
   * @return blocks, in order
   */
  public List<Block> blocks() {
    return blocks;
  }

  /**
   * All parameters and running statistics with their places in one buffer.
   *
   * @return the parameters
   */
  public Parameters parameters() {
    return parameters;
  }

  /**
   * Channels of the stem convolution.
   *
   * @return scaled channels
   */
  public int stemChannels() {
    return options.scaling.channels(STEM_CHANNELS);
  }

  /**
   * Channels of the head convolution, which are the classifier's features.
   *
   * @return scaled channels
   */
  public int headChannels() {
    return options.scaling.channels(HEAD_CHANNELS);
  }

  /**
   * Height and width of the input images.
   *
   * @return pixels
   */
  public int resolution() {
    return options.resolution;
  }

  /**
   * Number of classes.
   *
   * @return at least 1
   */
  public int classes() {
    return options.classes;
  }

  /**
   * Channels of the input images.
   *
   * @return 1 to 4
   */
  public int inputChannels() {
    return options.inputChannels;
  }

  /**
   * Dropout before the classifier.
   *
   * @return probability of dropping a feature
   */
  public double dropout() {
    return options.dropout;
  }

  /**
   * Dropout samples of the head (arXiv 1905.09788).
   *
   * @return at least 1; 1 is ordinary dropout
   */
  public int samples() {
    return options.samples;
  }

  /**
   * Whether the head averages the samples' logits instead of their losses.
   *
   * @return true for averaged logits
   */
  public boolean averageLogits() {
    return options.averageLogits;
  }

  /**
   * Drop-connect rate that the last block would approach; block i of n has rate * i / n.
   *
   * @return a probability
   */
  public double dropConnect() {
    return options.dropConnect;
  }

  /**
   * Whether squeeze-and-excite has ReLU inside, as in its paper, instead of SiLU.
   *
   * @return true for ReLU
   */
  public boolean squeezeRelu() {
    return options.squeezeRelu;
  }

  /**
   * How convolutions pad.
   *
   * @return the padding
   */
  public Padding padding() {
    return options.padding;
  }

  /**
   * Epsilon of every BatchNorm.
   *
   * @return added to the variance
   */
  public double batchNormEpsilon() {
    return options.batchNormEpsilon;
  }

  /**
   * Momentum of every BatchNorm in PyTorch's sense.
   *
   * @return the weight of the newest batch in the running statistics
   */
  public double batchNormMomentum() {
    return options.batchNormMomentum;
  }

  @Override
  public String toString() {
    return "EfficientNet-%s (%d classes, %dx%dx%d, %s)"
        .formatted(
            name().toUpperCase(Locale.ROOT),
            classes(),
            resolution(),
            resolution(),
            inputChannels(),
            padding());
  }
}
