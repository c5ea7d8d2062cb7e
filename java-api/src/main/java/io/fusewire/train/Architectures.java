// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.model.Architecture;
import io.fusewire.model.ArchitectureBuilder;
import io.fusewire.model.EfficientNet;
import io.fusewire.model.EfficientNetBuilder;
import io.fusewire.model.Padding;
import io.fusewire.model.ResNet;
import io.fusewire.model.ResNetBuilder;
import io.fusewire.model.Scaling;
import io.fusewire.model.Stage;
import io.fusewire.ops.Activation;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;

/**
 * Writes an architecture to the string metadata of a file and reads it back. What the first files
 * did not have is as they had it where it is missing.
 */
final class Architectures {
  private static final String RESNET = "resnet";
  private static final int STAGE_NUMBERS = 6;

  private Architectures() {}

  static void encode(Architecture net, BiConsumer<String, String> target) {
    target.accept("model", net.name());
    if (net instanceof EfficientNet efficientNet) {
      encode(efficientNet, target);
    } else if (net instanceof ResNet resNet) {
      encode(resNet, target);
    }
    target.accept("resolution", Integer.toString(net.resolution()));
    target.accept("classes", Integer.toString(net.classes()));
    target.accept("input_channels", Integer.toString(net.inputChannels()));
    target.accept("dropout", Double.toString(net.dropout()));
    target.accept("samples", Integer.toString(net.samples()));
    target.accept("average_logits", Boolean.toString(net.averageLogits()));
    target.accept("drop_connect", Double.toString(net.dropConnect()));
    target.accept("padding", net.padding().name());
    target.accept("bn_epsilon", Double.toString(net.batchNormEpsilon()));
    target.accept("bn_momentum", Double.toString(net.batchNormMomentum()));
  }

  private static void encode(EfficientNet net, BiConsumer<String, String> target) {
    target.accept("family", "efficientnet");
    target.accept("width", Double.toString(net.scaling().width()));
    target.accept("depth", Double.toString(net.scaling().depth()));
    target.accept("round_limit", Double.toString(net.scaling().roundLimit()));
    target.accept("stem", Integer.toString(net.unscaledStemChannels()));
    target.accept("head", Integer.toString(net.unscaledHeadChannels()));
    target.accept("fixed_ends", Boolean.toString(net.fixedEnds()));
    target.accept("activation", net.activation().name());
    target.accept("squeeze_relu", Boolean.toString(net.squeezeRelu()));
    List<String> stages = new ArrayList<>();
    for (Stage s : net.stages()) {
      String numbers =
          "%d,%d,%d,%d,%d,%d"
              .formatted(
                  s.repeats(),
                  s.kernel(),
                  s.stride(),
                  s.expansion(),
                  s.inChannels(),
                  s.outChannels());
      stages.add(s.kind() == Stage.Kind.MBCONV ? numbers : numbers + "," + s.kind());
    }
    target.accept("stages", String.join(" ", stages));
  }

  private static void encode(ResNet net, BiConsumer<String, String> target) {
    target.accept("family", RESNET);
    target.accept("style", net.style().name());
    target.accept("bottleneck", Boolean.toString(net.bottleneck()));
    target.accept("width", Integer.toString(net.width()));
    target.accept(
        "repeats", String.join(",", net.repeats().stream().map(String::valueOf).toList()));
  }

  /**
   * Reads an architecture.
   *
   * @throws IllegalArgumentException if something is missing or impossible
   */
  static Architecture decode(Map<String, String> metadata) {
    String family = metadata.getOrDefault("family", "efficientnet");
    ArchitectureBuilder<?> builder =
        switch (family) {
          case "efficientnet" -> efficientNet(metadata);
          case RESNET -> resNet(metadata);
          default -> throw new IllegalArgumentException("no family is called '" + family + "'");
        };
    return builder
        .resolution(whole(metadata, "resolution"))
        .classes(whole(metadata, "classes"))
        .inputChannels(whole(metadata, "input_channels"))
        .dropout(real(metadata, "dropout"))
        .samples(whole(metadata, "samples"))
        .averageLogits(Boolean.parseBoolean(text(metadata, "average_logits")))
        .dropConnect(real(metadata, "drop_connect"))
        .padding(Padding.valueOf(text(metadata, "padding")))
        .batchNorm(real(metadata, "bn_epsilon"), real(metadata, "bn_momentum"))
        .build();
  }

  private static EfficientNetBuilder efficientNet(Map<String, String> metadata) {
    EfficientNetBuilder builder = EfficientNet.builder(text(metadata, "model"));
    double width = real(metadata, "width");
    double depth = real(metadata, "depth");
    builder.scaling(
        metadata.containsKey("round_limit")
            ? new Scaling(width, depth, real(metadata, "round_limit"))
            : new Scaling(width, depth));
    if (metadata.containsKey("stem")) {
      builder
          .stem(whole(metadata, "stem"))
          .head(whole(metadata, "head"))
          .fixedEnds(Boolean.parseBoolean(text(metadata, "fixed_ends")))
          .activation(Activation.valueOf(text(metadata, "activation")));
    }
    List<Stage> stages = new ArrayList<>();
    for (String row : text(metadata, "stages").split(" ", -1)) {
      stages.add(stage(row));
    }
    return builder.stages(stages).squeezeRelu(Boolean.parseBoolean(text(metadata, "squeeze_relu")));
  }

  private static Stage stage(String row) {
    String[] n = row.split(",", -1);
    if (n.length != STAGE_NUMBERS && n.length != STAGE_NUMBERS + 1) {
      throw new IllegalArgumentException(
          "a stage has 6 numbers and perhaps a kind, not '" + row + "'");
    }
    return new Stage(
        n.length == STAGE_NUMBERS ? Stage.Kind.MBCONV : Stage.Kind.valueOf(n[STAGE_NUMBERS]),
        Integer.parseInt(n[0]),
        Integer.parseInt(n[1]),
        Integer.parseInt(n[2]),
        Integer.parseInt(n[3]),
        Integer.parseInt(n[4]),
        Integer.parseInt(n[5]));
  }

  private static ResNetBuilder resNet(Map<String, String> metadata) {
    return ResNet.builder(text(metadata, "model"))
        .style(ResNet.Style.valueOf(text(metadata, "style")))
        .bottleneck(Boolean.parseBoolean(text(metadata, "bottleneck")))
        .width(whole(metadata, "width"))
        .repeats(
            Arrays.stream(text(metadata, "repeats").split(",", -1))
                .map(Integer::parseInt)
                .toList());
  }

  private static String text(Map<String, String> metadata, String key) {
    String value = metadata.get(key);
    if (value == null) {
      throw new IllegalArgumentException("'" + key + "' is missing");
    }
    return value;
  }

  private static int whole(Map<String, String> metadata, String key) {
    return Integer.parseInt(text(metadata, key));
  }

  private static double real(Map<String, String> metadata, String key) {
    return Double.parseDouble(text(metadata, key));
  }
}
