// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.fusewire.io.AtomicFile;
import io.fusewire.model.Architecture;
import io.fusewire.model.EfficientNet;
import io.fusewire.model.Preprocessing;
import io.fusewire.train.ModelFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A folder that timm's {@code create_model('local-dir:FOLDER', pretrained=True)} takes: {@code
 * model.safetensors}, and beside it {@code config.json}, which says how the network is built, how
 * images are prepared and what the classes are called. timm looks for these two names.
 */
final class TimmFolder {
  private static final String WEIGHTS = "model.safetensors";
  private static final String CONFIG = "config.json";

  private TimmFolder() {}

  /**
   * Writes the configuration beside weights that have timm's usual name.
   *
   * @return what a user should know of it; empty if the weights have another name
   */
  static List<String> describe(Path weights, ModelFile model, Expression expression)
      throws IOException {
    if (!weights.endsWith(WEIGHTS)) {
      return List.of();
    }
    Path folder = weights.toAbsolutePath().normalize().getParent();
    Path config = folder.resolve(CONFIG);
    if (Files.exists(config) && TimmConfig.beside(weights).isEmpty()) {
      return List.of(config + " is not timm's and was left as it is");
    }
    byte[] text = text(model, expression);
    AtomicFile.replace(config, channel -> writeAll(channel, text));
    return List.of(
        "with the %s beside it also: timm.create_model('local-dir:%s', pretrained=True)"
            .formatted(CONFIG, folder));
  }

  private static void writeAll(FileChannel channel, byte[] text) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(text);
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  private static byte[] text(ModelFile model, Expression expression) throws IOException {
    Architecture network = model.network();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator json = new JsonFactory().createGenerator(bytes)) {
      json.useDefaultPrettyPrinter();
      json.writeStartObject();
      json.writeStringField("architecture", expression.model());
      json.writeNumberField(Expression.CLASSES, network.classes());
      strings(json, "label_names", model.classNames());
      arguments(json, expression.arguments());
      json.writeObjectFieldStart("pretrained_cfg");
      json.writeNumberField(Expression.CLASSES, network.classes());
      images(json, model.preprocessing());
      boolean mobile = network instanceof EfficientNet;
      json.writeStringField("first_conv", mobile ? "conv_stem" : "conv1");
      json.writeStringField("classifier", mobile ? "classifier" : "fc");
      json.writeEndObject();
      json.writeEndObject();
    }
    return bytes.toByteArray();
  }

  /** What the model's builder must be told; the class count has a field of its own. */
  private static void arguments(JsonGenerator json, Map<String, Object> arguments)
      throws IOException {
    json.writeObjectFieldStart("model_args");
    for (Map.Entry<String, Object> argument : arguments.entrySet()) {
      if (!argument.getKey().equals(Expression.CLASSES)) {
        json.writeFieldName(argument.getKey());
        if (argument.getValue() instanceof Double number) {
          json.writeNumber(number);
        } else if (argument.getValue() instanceof Integer number) {
          json.writeNumber(number);
        } else {
          json.writeString(argument.getValue().toString());
        }
      }
    }
    json.writeEndObject();
  }

  private static void images(JsonGenerator json, Preprocessing how) throws IOException {
    json.writeFieldName("input_size");
    json.writeArray(new int[] {how.mean().size(), how.window(), how.window()}, 0, 3);
    json.writeStringField("interpolation", how.interpolation().toString());
    json.writeNumberField("crop_pct", how.cropFraction());
    json.writeStringField("crop_mode", how.wholeImage() ? "squash" : "center");
    numbers(json, "mean", how.mean());
    numbers(json, "std", how.std());
  }

  private static void numbers(JsonGenerator json, String field, List<Float> values)
      throws IOException {
    json.writeArrayFieldStart(field);
    for (float value : values) {
      json.writeNumber(value);
    }
    json.writeEndArray();
  }

  private static void strings(JsonGenerator json, String field, List<String> values)
      throws IOException {
    json.writeArrayFieldStart(field);
    for (String value : values) {
      json.writeString(value);
    }
    json.writeEndArray();
  }
}
