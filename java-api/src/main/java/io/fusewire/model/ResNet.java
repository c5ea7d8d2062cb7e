// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import io.fusewire.ops.Activation;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The architecture of a ResNet (arXiv 1512.03385), as torchvision and timm have it (stride in the
 * 3x3 convolution of a bottle neck), or of fastai's XResNet (arXiv 1812.01187: three 3x3
 * convolutions as the stem, the mean of 2x2 pixels before a shortcut's convolution). Immutable;
 * made by {@link #byName}. Holds no weights and needs no device.
 */
public final class ResNet extends Architecture {
  /** Channels out of a bottle neck over those in it. */
  private static final int EXPANSION = 4;

  private static final Map<String, List<Integer>> REPEATS =
      Map.of("18", List.of(2, 2, 2, 2), "34", List.of(3, 4, 6, 3), "50", List.of(3, 4, 6, 3));

  /** Whose stem, shortcuts, initial values and parameter names a network has. */
  public enum Style {
    /** 7x7 stem, 1x1 shortcuts with the stride in them; torchvision's names, which timm shares. */
    TORCHVISION,
    /** 3x3 stem in three, average-pooled shortcuts; fastai's names. */
    FASTAI
  }

  private final ResNetBuilder options;
  private final List<ConvNorm> stem;
  private final List<Block> blocks;
  private final Parameters parameters;

  ResNet(ResNetBuilder options) {
    super(new ResNetBuilder(options));
    this.options = new ResNetBuilder(options);
    this.stem = stem(options);
    this.blocks = blocks(options);
    this.parameters = Parameters.of(this);
  }

  /**
   * A builder by name.
   *
   * @param name {@code resnet18}, {@code resnet34}, {@code resnet50}, {@code xresnet18}, {@code
   *     xresnet34} or {@code xresnet50}, in any case
   * @return a builder with ImageNet's 1000 classes
   * @throws IllegalArgumentException if there is no such model; the message lists those there are
   */
  public static ResNetBuilder byName(String name) {
    if (!knows(name)) {
      throw new IllegalArgumentException(
          "there is no ResNet '%s'; there are %s".formatted(name, String.join(", ", modelNames())));
    }
    String key = plain(name);
    String depth = key.substring(key.length() - 2);
    return new ResNetBuilder()
        .name(key)
        .style(key.startsWith("x") ? Style.FASTAI : Style.TORCHVISION)
        .bottleneck(depth.equals("50"))
        .repeats(REPEATS.get(depth));
  }

  /**
   * A network of one's own, with ResNet-18's options until told otherwise.
   *
   * @param name the name it will have in files and tables
   * @return a builder
   */
  public static ResNetBuilder builder(String name) {
    return new ResNetBuilder().name(name);
  }

  static List<String> modelNames() {
    return List.of("resnet18", "resnet34", "resnet50", "xresnet18", "xresnet34", "xresnet50");
  }

  static boolean knows(String name) {
    return modelNames().contains(plain(name));
  }

  /** Without what divides the family from the depth. */
  private static String plain(String name) {
    return key(name).replace("_", "");
  }

  private static List<ConvNorm> stem(ResNetBuilder options) {
    int width = options.width;
    if (options.style == Style.TORCHVISION) {
      return List.of(
          ConvNorm.dense("conv1", "bn1", 7, 2, options.inputChannels, width, Activation.RELU));
    }
    int half = width / 2;
    return List.of(
        ConvNorm.dense("0.0", "0.1", 3, 2, options.inputChannels, half, Activation.RELU),
        ConvNorm.dense("1.0", "1.1", 3, 1, half, half, Activation.RELU),
        ConvNorm.dense("2.0", "2.1", 3, 1, half, width, Activation.RELU));
  }

  private static List<Block> blocks(ResNetBuilder options) {
    int total = options.repeats.stream().mapToInt(Integer::intValue).sum();
    List<Block> list = new ArrayList<>(total);
    int in = options.width;
    for (int s = 0; s < options.repeats.size(); s++) {
      int width = options.width << s;
      int out = options.bottleneck ? width * EXPANSION : width;
      for (int i = 0; i < options.repeats.get(s); i++) {
        list.add(
            new ResidualBlock(
                s,
                i,
                options.bottleneck,
                options.style,
                i == 0 && s > 0 ? 2 : 1,
                in,
                width,
                out,
                options.dropConnect * list.size() / total));
        in = out;
      }
    }
    return List.copyOf(list);
  }

  @Override
  public ResNetBuilder toBuilder() {
    return new ResNetBuilder(options);
  }

  /**
   * Stem, shortcuts and names.
   *
   * @return the style
   */
  public Style style() {
    return options.style;
  }

  /**
   * Whether blocks have three convolutions.
   *
   * @return true for 1x1, 3x3, 1x1
   */
  public boolean bottleneck() {
    return options.bottleneck;
  }

  /**
   * Blocks of each stage.
   *
   * @return counts, in order
   */
  public List<Integer> repeats() {
    return options.repeats;
  }

  /**
   * Channels of the first stage.
   *
   * @return channels
   */
  public int width() {
    return options.width;
  }

  @Override
  public List<ConvNorm> stem() {
    return stem;
  }

  @Override
  public boolean stemPool() {
    return true;
  }

  @Override
  public List<Block> blocks() {
    return blocks;
  }

  @Override
  public Optional<ConvNorm> head() {
    return Optional.empty();
  }

  @Override
  public String classifier() {
    // fastai's list goes on with mean, flatten and dropout.
    return options.style == Style.FASTAI
        ? Integer.toString(ResidualBlock.FASTAI_STAGE + options.repeats.size() + 3)
        : "fc";
  }

  @Override
  public Parameters parameters() {
    return parameters;
  }

  @Override
  public String title() {
    String family = options.style == Style.FASTAI ? "XResNet" : "ResNet";
    String plain = family.toLowerCase(java.util.Locale.ROOT);
    return family + "-" + (name().startsWith(plain) ? name().substring(plain.length()) : name());
  }
}
