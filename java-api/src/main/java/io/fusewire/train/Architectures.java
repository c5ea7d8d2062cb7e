// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.model.EfficientNet;
import io.fusewire.model.Padding;
import io.fusewire.model.Scaling;
import io.fusewire.model.Stage;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;

/** Writes an architecture to the string metadata of a file and reads it back. */
final class Architectures {
  private Architectures() {}

  static void encode(EfficientNet net, BiConsumer<String, String> target) {
    target.accept("model", net.name());
    target.accept("width", Double.toString(net.scaling().width()));
    target.accept("depth", Double.toString(net.scaling().depth()));
    List<String> stages = new ArrayList<>();
    for (Stage s : net.stages()) {
      stages.add(
          "%d,%d,%d,%d,%d,%d"
              .formatted(
                  s.repeats(),
                  s.kernel(),
                  s.stride(),
                  s.expansion(),
                  s.inChannels(),
                  s.outChannels()));
    }
    target.accept("stages", String.join(" ", stages));
    target.accept("resolution", Integer.toString(net.resolution()));
    target.accept("classes", Integer.toString(net.classes()));
    target.accept("input_channels", Integer.toString(net.inputChannels()));
    target.accept("dropout", Double.toString(net.dropout()));
    target.accept("samples", Integer.toString(net.samples()));
    target.accept("average_logits", Boolean.toString(net.averageLogits()));
    target.accept("drop_connect", Double.toString(net.dropConnect()));
    target.accept("squeeze_relu", Boolean.toString(net.squeezeRelu()));
    target.accept("padding", net.padding().name());
    target.accept("bn_epsilon", Double.toString(net.batchNormEpsilon()));
    target.accept("bn_momentum", Double.toString(net.batchNormMomentum()));
  }

  /**
   * Reads an architecture.
   *
   * @throws IllegalArgumentException if something is missing or impossible
   */
  static EfficientNet decode(Map<String, String> metadata) {
    List<Stage> stages = new ArrayList<>();
    for (String row : text(metadata, "stages").split(" ", -1)) {
      String[] n = row.split(",", -1);
      if (n.length != 6) {
        throw new IllegalArgumentException("a stage has 6 numbers, not '" + row + "'");
      }
      stages.add(
          new Stage(
              Integer.parseInt(n[0]),
              Integer.parseInt(n[1]),
              Integer.parseInt(n[2]),
              Integer.parseInt(n[3]),
              Integer.parseInt(n[4]),
              Integer.parseInt(n[5])));
    }
    return EfficientNet.builder(text(metadata, "model"))
        .scaling(new Scaling(real(metadata, "width"), real(metadata, "depth")))
        .stages(stages)
        .resolution(whole(metadata, "resolution"))
        .classes(whole(metadata, "classes"))
        .inputChannels(whole(metadata, "input_channels"))
        .dropout(real(metadata, "dropout"))
        .samples(whole(metadata, "samples"))
        .averageLogits(Boolean.parseBoolean(text(metadata, "average_logits")))
        .dropConnect(real(metadata, "drop_connect"))
        .squeezeRelu(Boolean.parseBoolean(text(metadata, "squeeze_relu")))
        .padding(Padding.valueOf(text(metadata, "padding")))
        .batchNorm(real(metadata, "bn_epsilon"), real(metadata, "bn_momentum"))
        .build();
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
