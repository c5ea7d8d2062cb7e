// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import io.fusewire.io.FileFormatException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The layers of a {@code .keras} file's {@code config.json}. Keras 3 stores variables by a layer's
 * class and number ({@code layers/conv2d_3/vars/0}); the layers' own names and their variables' are
 * found with these.
 */
final class KerasLayers {
  private static final int MAX_DEPTH = 100;
  private static final JsonFactory JSON =
      JsonFactory.builder()
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(MAX_DEPTH)
                  .maxStringLength(1 << 20)
                  .maxNumberLength(1000)
                  .build())
          .build();

  /** Variables in the order in which Keras stores them, by class and how many there are at most. */
  private static final Map<String, List<String>> VARIABLES =
      Map.of(
          "BatchNormalization", List.of("gamma", "beta", "moving_mean", "moving_variance"),
          "Conv2D", List.of("kernel", "bias"),
          "Dense", List.of("kernel", "bias"),
          "DepthwiseConv2D", List.of("depthwise_kernel", "bias"),
          "Normalization", List.of("mean", "variance", "count"));

  private record Layer(String name, String type) {}

  /** By the name of the group that Keras stores a layer in. */
  private final Map<String, Layer> byGroup = new HashMap<>();

  private final Map<String, Layer> byName = new LinkedHashMap<>();

  private KerasLayers() {}

  static KerasLayers parse(Path file, byte[] config) throws IOException {
    KerasLayers layers = new KerasLayers();
    try (JsonParser json = JSON.createParser(config)) {
      if (json.nextToken() == JsonToken.START_OBJECT) {
        layers.model(json);
      }
    } catch (com.fasterxml.jackson.core.JacksonException e) {
      throw new FileFormatException(
          file, "its config.json is damaged: " + e.getOriginalMessage(), e);
    }
    Map<String, Integer> numbers = new HashMap<>();
    for (Layer layer : layers.byName.values()) {
      String group = group(layer.type());
      int number = numbers.merge(group, 1, Integer::sum) - 1;
      layers.byGroup.put(number == 0 ? group : group + "_" + number, layer);
    }
    return layers;
  }

  /** A tensor's name by its path; the path itself where nothing is known of it. */
  String name(String path) {
    String[] parts = path.split("/", -1);
    if (parts.length != 4 || !parts[0].equals("layers") || !parts[2].equals("vars")) {
      return path;
    }
    Layer layer = byName.getOrDefault(parts[1], byGroup.get(parts[1]));
    if (layer == null) {
      return path;
    }
    List<String> variables = VARIABLES.getOrDefault(layer.type(), List.of());
    for (int i = 0; i < variables.size(); i++) {
      if (parts[3].equals(Integer.toString(i))) {
        return layer.name() + "/" + variables.get(i);
      }
    }
    return layer.name() + "/" + parts[3];
  }

  /** An object with a class and a configuration: a model, in which the layers are listed. */
  private void model(JsonParser json) throws IOException {
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      boolean config = json.currentName().equals("config");
      if (json.nextToken() == JsonToken.START_OBJECT && config) {
        while (json.nextToken() == JsonToken.FIELD_NAME) {
          boolean layers = json.currentName().equals("layers");
          if (json.nextToken() == JsonToken.START_ARRAY && layers) {
            while (json.nextToken() == JsonToken.START_OBJECT) {
              layer(json);
            }
          } else {
            json.skipChildren();
          }
        }
      } else {
        json.skipChildren();
      }
    }
  }

  private void layer(JsonParser json) throws IOException {
    String type = "";
    String name = "";
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String key = json.currentName();
      JsonToken value = json.nextToken();
      if (key.equals("class_name") && value == JsonToken.VALUE_STRING) {
        type = json.getText();
      } else if (key.equals("config") && value == JsonToken.START_OBJECT) {
        while (json.nextToken() == JsonToken.FIELD_NAME) {
          boolean named = json.currentName().equals("name");
          if (json.nextToken() == JsonToken.VALUE_STRING && named) {
            name = json.getText();
          } else {
            json.skipChildren();
          }
        }
      } else {
        json.skipChildren();
      }
    }
    if (!name.isEmpty()) {
      byName.putIfAbsent(name, new Layer(name, type));
    }
  }

  /** A class's name as Keras writes it for groups: words in lower case, joined by underscores. */
  private static String group(String type) {
    return type.replaceAll("(.)([A-Z][a-z]+)", "$1_$2")
        .replaceAll("([a-z])([A-Z])", "$1_$2")
        .toLowerCase(Locale.ROOT);
  }
}
