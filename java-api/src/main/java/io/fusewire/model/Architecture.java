// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What a network is made of: a stem of convolutions, blocks, perhaps a last convolution, the mean
 * over pixels, dropout and a classifier. Immutable; holds no weights and needs no device. Graphs,
 * tables, files and parameters are all made from what this says.
 */
public abstract sealed class Architecture permits EfficientNet, ResNet {
  private final ArchitectureBuilder<?> options;

  Architecture(ArchitectureBuilder<?> options) {
    this.options = options;
  }

  /**
   * A builder by name.
   *
   * @param name a name of {@link EfficientNet#byName} or {@link ResNet#byName}
   * @return a builder with ImageNet's 1000 classes
   * @throws IllegalArgumentException if there is no such model; the message lists those there are
   */
  public static ArchitectureBuilder<?> byName(String name) {
    if (ResNet.knows(name)) {
      return ResNet.byName(name);
    }
    if (EfficientNet.knows(name)) {
      return EfficientNet.byName(name);
    }
    throw new IllegalArgumentException(
        "there is no model '%s'; there are %s".formatted(name, String.join(", ", names())));
  }

  /**
   * The names of all models that {@link #byName} knows, in their shortest form.
   *
   * @return such as {@code b0}, {@code lite0}, {@code v2_s}, {@code resnet18}
   */
  public static List<String> names() {
    return Stream.concat(EfficientNet.modelNames().stream(), ResNet.modelNames().stream()).toList();
  }

  /** Lower case, and one way to write what divides. */
  static String key(String name) {
    return name.toLowerCase(Locale.ROOT).replace('-', '_');
  }

  /**
   * A builder that starts from this network's options.
   *
   * @return a builder; changing it does not change this network
   */
  public abstract ArchitectureBuilder<?> toBuilder();

  /**
   * The convolutions before the first block.
   *
   * @return in order, at least one; the first reads the images
   */
  public abstract List<ConvNorm> stem();

  /**
   * Whether the maximum of 3x3 pixels with stride 2 and padding 1 follows the stem.
   *
   * @return true for ResNets
   */
  public abstract boolean stemPool();

  /**
   * The scaled blocks.
   *
   * @return blocks, in order
   */
  public abstract List<Block> blocks();

  /**
   * The convolution after the last block.
   *
   * @return empty if the last block's result is what the classifier sees
   */
  public abstract Optional<ConvNorm> head();

  /**
   * Name of the classifier, without {@code .weight} and {@code .bias}.
   *
   * @return such as {@code classifier}
   */
  public abstract String classifier();

  /**
   * All parameters and running statistics with their places in one buffer.
   *
   * @return the parameters
   */
  public abstract Parameters parameters();

  /**
   * Channels that the classifier sees.
   *
   * @return those of the head, or of the last block
   */
  public int features() {
    return head()
        .map(ConvNorm::outChannels)
        .orElseGet(() -> blocks().get(blocks().size() - 1).outChannels());
  }

  /**
   * The name as titles have it.
   *
   * @return such as {@code EfficientNet-B0}
   */
  public abstract String title();

  /**
   * Name in files and tables.
   *
   * @return such as {@code b0}
   */
  public String name() {
    return options.name;
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
    return false;
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
    return "%s (%d classes, %dx%dx%d, %s)"
        .formatted(title(), classes(), resolution(), resolution(), inputChannels(), padding());
  }
}
