// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import io.fusewire.ops.Activation;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * The architecture of an EfficientNet (arXiv 1905.11946), EfficientNet-Lite or EfficientNetV2
 * (arXiv 2104.00298): a block table, scaled, with everything that the ports of it do differently as
 * a choice. Immutable; made by {@link #b0()} to {@link #b7()}, {@link #byName} or {@link
 * #builder(String)}. Holds no weights and needs no device.
 */
public final class EfficientNet extends Architecture {
  private static final Map<String, Supplier<EfficientNetBuilder>> MODELS = new LinkedHashMap<>();

  static {
    MODELS.put("b0", EfficientNet::b0);
    MODELS.put("b1", EfficientNet::b1);
    MODELS.put("b2", EfficientNet::b2);
    MODELS.put("b3", EfficientNet::b3);
    MODELS.put("b4", EfficientNet::b4);
    MODELS.put("b5", EfficientNet::b5);
    MODELS.put("b6", EfficientNet::b6);
    MODELS.put("b7", EfficientNet::b7);
    MODELS.put("b8", () -> scaled("b8", 2.2, 3.6, 672, 0.5));
    MODELS.put("l2", () -> scaled("l2", 4.3, 5.3, 800, 0.5));
    MODELS.put("lite0", () -> lite("lite0", 1.0, 1.0, 224, 0.2));
    MODELS.put("lite1", () -> lite("lite1", 1.0, 1.1, 240, 0.2));
    MODELS.put("lite2", () -> lite("lite2", 1.1, 1.2, 260, 0.3));
    MODELS.put("lite3", () -> lite("lite3", 1.2, 1.4, 280, 0.3));
    MODELS.put("lite4", () -> lite("lite4", 1.4, 1.8, 300, 0.3));
    MODELS.put("v2_s", () -> v2("v2_s", 24, Stage.V2_S, 384, 0.2));
    MODELS.put("v2_m", () -> v2("v2_m", 24, Stage.V2_M, 480, 0.3));
    MODELS.put("v2_l", () -> v2("v2_l", 32, Stage.V2_L, 480, 0.4));
    MODELS.put("v2_b0", () -> v2b("v2_b0", 1.0, 1.0, 224, 0.2));
    MODELS.put("v2_b1", () -> v2b("v2_b1", 1.0, 1.1, 240, 0.2));
    MODELS.put("v2_b2", () -> v2b("v2_b2", 1.1, 1.2, 260, 0.3));
    MODELS.put("v2_b3", () -> v2b("v2_b3", 1.2, 1.4, 300, 0.3));
  }

  private final EfficientNetBuilder options;
  private final List<ConvNorm> stem;
  private final List<Block> blocks;
  private final ConvNorm head;
  private final Parameters parameters;

  EfficientNet(EfficientNetBuilder options) {
    super(new EfficientNetBuilder(options));
    this.options = new EfficientNetBuilder(options);
    this.blocks = BlockTable.of(options);
    Activation activation = options.activation;
    this.stem =
        List.of(
            ConvNorm.dense(
                "conv_stem",
                "bn1",
                3,
                2,
                options.inputChannels,
                BlockTable.stem(options),
                activation));
    int last = blocks.get(blocks.size() - 1).outChannels();
    this.head =
        ConvNorm.dense("conv_head", "bn2", 1, 1, last, BlockTable.head(options), activation);
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
   * @param name one of {@code b0} to {@code b8}, {@code l2}, {@code lite0} to {@code lite4}, {@code
   *     v2_s}, {@code v2_m}, {@code v2_l}, {@code v2_b0} to {@code v2_b3}; in any case, and also
   *     with what their ports put before it, as in {@code efficientnet-b0}, {@code
   *     efficientnet_lite0}, {@code efficientnetv2_s} or {@code tf_efficientnetv2_b0}
   * @return a builder
   * @throws IllegalArgumentException if there is no such model; the message lists those there are
   */
  public static EfficientNetBuilder byName(String name) {
    Supplier<EfficientNetBuilder> model = MODELS.get(plain(name));
    if (model == null) {
      throw new IllegalArgumentException(
          "there is no EfficientNet '%s'; there are %s"
              .formatted(name, String.join(", ", modelNames())));
    }
    return model.get();
  }

  static List<String> modelNames() {
    return List.copyOf(MODELS.keySet());
  }

  static boolean knows(String name) {
    return MODELS.containsKey(plain(name));
  }

  private static String plain(String name) {
    return key(name).replaceFirst("^(tf_)?efficientnet_?", "");
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

  private static EfficientNetBuilder lite(
      String name, double width, double depth, int resolution, double dropout) {
    return scaled(name, width, depth, resolution, dropout)
        .stages(Stage.LITE0)
        .fixedEnds(true)
        .activation(Activation.RELU6);
  }

  private static EfficientNetBuilder v2(
      String name, int stem, List<Stage> stages, int resolution, double dropout) {
    return scaled(name, 1, 1, resolution, dropout).stem(stem).stages(stages);
  }

  private static EfficientNetBuilder v2b(
      String name, double width, double depth, int resolution, double dropout) {
    return scaled(name, width, depth, resolution, dropout)
        .scaling(new Scaling(width, depth, 0))
        .stages(Stage.V2_B0);
  }

  @Override
  public EfficientNetBuilder toBuilder() {
    return new EfficientNetBuilder(options);
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
   * The options that a file keeps beside those of {@link Architecture}: the unscaled stem.
   *
   * @return channels
   */
  public int unscaledStemChannels() {
    return options.stemChannels;
  }

  /**
   * The unscaled head.
   *
   * @return channels
   */
  public int unscaledHeadChannels() {
    return options.headChannels;
  }

  /**
   * Whether stem, head and the repeats of the first and last stage are not scaled.
   *
   * @return true for EfficientNet-Lite
   */
  public boolean fixedEnds() {
    return options.fixedEnds;
  }

  /**
   * Activation after every convolution but those that end a block with a projection.
   *
   * @return SiLU, or ReLU6 for EfficientNet-Lite
   */
  public Activation activation() {
    return options.activation;
  }

  /**
   * Channels of the stem convolution.
   *
   * @return scaled channels
   */
  public int stemChannels() {
    return stem.get(0).outChannels();
  }

  /**
   * Channels of the head convolution, which are the classifier's features.
   *
   * @return scaled channels
   */
  public int headChannels() {
    return head.outChannels();
  }

  @Override
  public boolean squeezeRelu() {
    return options.squeezeRelu;
  }

  @Override
  public List<ConvNorm> stem() {
    return stem;
  }

  @Override
  public boolean stemPool() {
    return false;
  }

  @Override
  public List<Block> blocks() {
    return blocks;
  }

  @Override
  public Optional<ConvNorm> head() {
    return Optional.of(head);
  }

  @Override
  public String classifier() {
    return "classifier";
  }

  @Override
  public Parameters parameters() {
    return parameters;
  }

  @Override
  public String title() {
    String name = name().toUpperCase(Locale.ROOT);
    return name.startsWith("V2_")
        ? "EfficientNetV2-" + name.substring(3)
        : "EfficientNet-" + name.replace("LITE", "Lite");
  }
}
