// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * The architecture of an EfficientNet (arXiv 1905.11946): a block table, scaled, with everything
 * that the ports of it do differently as a choice. Immutable; made by {@link #b0()} to {@link
 * #b7()} or {@link #builder(String)}. Holds no weights and needs no device.
 */
public final class EfficientNet {
  /** Share of a block's input channels that squeeze-and-excite squeezes to. */
  private static final double SQUEEZE_RATIO = 0.25;

  private static final int STEM_CHANNELS = 32;
  private static final int HEAD_CHANNELS = 1280;

  private final Builder options;
  private final List<Block> blocks;
  private final Parameters parameters;

  private EfficientNet(Builder options) {
    this.options = new Builder(options);
    this.blocks = List.copyOf(scaledBlocks(this.options));
    this.parameters = Parameters.of(this);
  }

  /**
   * EfficientNet-B0: 5,288,548 parameters and 0.386 G multiply-adds at 224 pixels.
   *
   * @return a builder with B0's scaling and ImageNet's 1000 classes
   */
  public static Builder b0() {
    return scaled("b0", 1.0, 1.0, 224, 0.2);
  }

  /**
   * EfficientNet-B1: 7,794,184 parameters, 240 pixels.
   *
   * @return a builder
   */
  public static Builder b1() {
    return scaled("b1", 1.0, 1.1, 240, 0.2);
  }

  /**
   * EfficientNet-B2: 9,109,994 parameters, 260 pixels.
   *
   * @return a builder
   */
  public static Builder b2() {
    return scaled("b2", 1.1, 1.2, 260, 0.3);
  }

  /**
   * EfficientNet-B3: 12,233,232 parameters, 300 pixels.
   *
   * @return a builder
   */
  public static Builder b3() {
    return scaled("b3", 1.2, 1.4, 300, 0.3);
  }

  /**
   * EfficientNet-B4: 19,341,616 parameters, 380 pixels.
   *
   * @return a builder
   */
  public static Builder b4() {
    return scaled("b4", 1.4, 1.8, 380, 0.4);
  }

  /**
   * EfficientNet-B5: 30,389,784 parameters, 456 pixels.
   *
   * @return a builder
   */
  public static Builder b5() {
    return scaled("b5", 1.6, 2.2, 456, 0.4);
  }

  /**
   * EfficientNet-B6: 43,040,704 parameters, 528 pixels.
   *
   * @return a builder
   */
  public static Builder b6() {
    return scaled("b6", 1.8, 2.6, 528, 0.5);
  }

  /**
   * EfficientNet-B7: 66,347,960 parameters, 600 pixels.
   *
   * @return a builder
   */
  public static Builder b7() {
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
  public static Builder byName(String name) {
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
  public static Builder builder(String name) {
    return b0().name(name);
  }

  private static Builder scaled(
      String name, double width, double depth, int resolution, double dropout) {
    return new Builder()
        .name(name)
        .scaling(new Scaling(width, depth))
        .resolution(resolution)
        .dropout(dropout);
  }

  private static List<Block> scaledBlocks(Builder options) {
    int total = 0;
    for (Stage stage : options.stages) {
      total += options.scaling.repeats(stage.repeats());
    }
    List<Block> blocks = new ArrayList<>(total);
    for (int s = 0; s < options.stages.size(); s++) {
      Stage stage = options.stages.get(s);
      int in = options.scaling.channels(stage.inChannels());
      int out = options.scaling.channels(stage.outChannels());
      for (int i = 0; i < options.scaling.repeats(stage.repeats()); i++) {
        int blockIn = i == 0 ? in : out;
        blocks.add(
            new Block(
                s,
                i,
                stage.kernel(),
                i == 0 ? stage.stride() : 1,
                blockIn,
                blockIn * stage.expansion(),
                Math.max(1, (int) (blockIn * SQUEEZE_RATIO)),
                out,
                options.dropConnect * blocks.size() / total));
      }
    }
    return blocks;
  }

  /**
   * A builder that starts from this network's options.
   *
   * @return a builder; changing it does not change this network
   */
  public Builder toBuilder() {
    return new Builder(options);
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

  /** Options of an {@link EfficientNet}; every setter checks its value and returns the builder. */
  public static final class Builder {
    private String name = "b0";
    private Scaling scaling = new Scaling(1.0, 1.0);
    private List<Stage> stages = Stage.B0;
    private int resolution = 224;
    private int classes = 1000;
    private int inputChannels = 3;
    private double dropout = 0.2;
    private int samples = 1;
    private boolean averageLogits = false;
    private double dropConnect = 0.2;
    private boolean squeezeRelu = false;
    private Padding padding = Padding.SAME;
    private double batchNormEpsilon = 1e-3;
    private double batchNormMomentum = 0.01;

    private Builder() {}

    private Builder(Builder other) {
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
    public Builder name(String name) {
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
    public Builder scaling(Scaling scaling) {
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
    public Builder stages(List<Stage> stages) {
      if (stages.isEmpty()) {
        throw new IllegalArgumentException("the block table needs at least one stage");
      }
      int channels = STEM_CHANNELS;
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
    public Builder resolution(int resolution) {
      this.resolution = inRange("resolution", resolution, 1, 8192);
      return this;
    }

    /**
     * Sets the number of classes.
     *
     * @param classes 1 to 1,000,000
     * @return this
     */
    public Builder classes(int classes) {
      this.classes = inRange("classes", classes, 1, 1_000_000);
      return this;
    }

    /**
     * Sets the channels of the input images.
     *
     * @param inputChannels 1 (grey) to 4
     * @return this
     */
    public Builder inputChannels(int inputChannels) {
      this.inputChannels = inRange("input channels", inputChannels, 1, 4);
      return this;
    }

    /**
     * Sets dropout before the classifier.
     *
     * @param dropout probability, 0 up to but not 1
     * @return this
     */
    public Builder dropout(double dropout) {
      this.dropout = probability("dropout", dropout);
      return this;
    }

    /**
     * Sets the number of dropout samples of the head.
     *
     * @param samples 1 to 64
     * @return this
     */
    public Builder samples(int samples) {
      this.samples = inRange("dropout samples", samples, 1, 64);
      return this;
    }

    /**
     * Chooses between averaging the samples' losses (the paper's way) and their logits.
     *
     * @param averageLogits true for logits
     * @return this
     */
    public Builder averageLogits(boolean averageLogits) {
      this.averageLogits = averageLogits;
      return this;
    }

    /**
     * Sets the drop-connect rate that grows with depth.
     *
     * @param dropConnect probability, 0 up to but not 1
     * @return this
     */
    public Builder dropConnect(double dropConnect) {
      this.dropConnect = probability("drop-connect", dropConnect);
      return this;
    }

    /**
     * Chooses ReLU instead of SiLU inside squeeze-and-excite.
     *
     * @param squeezeRelu true for ReLU
     * @return this
     */
    public Builder squeezeRelu(boolean squeezeRelu) {
      this.squeezeRelu = squeezeRelu;
      return this;
    }

    /**
     * Sets how convolutions pad.
     *
     * @param padding the padding
     * @return this
     */
    public Builder padding(Padding padding) {
      this.padding = Objects.requireNonNull(padding, "padding");
      return this;
    }

    /**
     * Sets BatchNorm's constants. The official ones are 1e-3 and 0.01; timm's {@code
     * efficientnet_b*} have 1e-5 and 0.1.
     *
     * @param epsilon added to the variance, above 0
     * @param momentum weight of the newest batch in the running statistics, above 0 and at most 1
     * @return this
     */
    public Builder batchNorm(double epsilon, double momentum) {
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
}
