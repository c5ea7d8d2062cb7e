// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import io.fusewire.io.FileFormatException;
import io.fusewire.model.Interpolation;
import io.fusewire.model.Preprocessing;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The {@code config.json} that timm's models on the Hugging Face hub have beside their weights.
 *
 * @param architecture timm's name of the model, with its tag after a dot if it has one
 * @param preprocessing what is done to a photograph, if the file says it
 * @param classNames names of the classes; empty if the file has none
 */
record TimmConfig(
    String architecture, Optional<Preprocessing> preprocessing, List<String> classNames) {
  private static final String NAME = "config.json";
  private static final long MAX_BYTES = 64 << 20;
  private static final JsonFactory JSON =
      JsonFactory.builder()
          .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(32).build())
          .build();

  /** The one beside a file of weights; empty if there is none or it is not timm's. */
  static Optional<TimmConfig> beside(Path weights) throws IOException {
    Path file = weights.toAbsolutePath().resolveSibling(NAME);
    if (!Files.isRegularFile(file) || Files.size(file) > MAX_BYTES) {
      return Optional.empty();
    }
    Object root;
    try (JsonParser json = JSON.createParser(file.toFile())) {
      json.nextToken();
      root = value(json);
    } catch (JacksonException e) {
      throw new FileFormatException(file, "is not valid JSON: " + e.getOriginalMessage(), e);
    }
    if (!(root instanceof Map<?, ?> map) || !(map.get("architecture") instanceof String name)) {
      return Optional.empty();
    }
    Map<?, ?> details = map.get("pretrained_cfg") instanceof Map<?, ?> inner ? inner : map;
    String model =
        details.get("tag") instanceof String tag && !tag.isBlank() ? name + "." + tag : name;
    Object labels =
        map.containsKey("label_names") ? map.get("label_names") : details.get("label_names");
    List<String> classNames =
        labels instanceof List<?> list ? list.stream().map(String::valueOf).toList() : List.of();
    try {
      return Optional.of(new TimmConfig(model, preprocessing(details), classNames));
    } catch (IllegalArgumentException e) {
      throw new FileFormatException(file, "has unusable preprocessing: " + e.getMessage(), e);
    }
  }

  private static Optional<Preprocessing> preprocessing(Map<?, ?> details) {
    List<Float> size = floats(details.get("input_size"));
    List<Float> mean = floats(details.get("mean"));
    List<Float> std = floats(details.get("std"));
    if (size.size() != 3 || mean.isEmpty() || std.isEmpty()) {
      return Optional.empty();
    }
    int resolution = size.get(1).intValue();
    double crop =
        details.get("crop_pct") instanceof Number number
            ? number.doubleValue()
            : Preprocessing.USUAL_CROP_FRACTION;
    Interpolation interpolation =
        details.get("interpolation") instanceof String text
            ? Interpolation.byName(text)
            : Interpolation.BICUBIC;
    if ("squash".equals(details.get("crop_mode"))) {
      int whole = (int) Math.floor(resolution / crop);
      return Optional.of(
          new Preprocessing(whole, whole, resolution, true, interpolation, crop, mean, std));
    }
    return Optional.of(Preprocessing.ofPhotographs(resolution, interpolation, crop, mean, std));
  }

  private static List<Float> floats(Object value) {
    List<Float> numbers = new ArrayList<>();
    if (value instanceof List<?> list) {
      for (Object item : list) {
        if (item instanceof Number number) {
          numbers.add(number.floatValue());
        }
      }
    }
    return numbers;
  }

  private static Object value(JsonParser json) throws IOException {
    JsonToken token = json.currentToken();
    if (token == null) {
      return null;
    }
    return switch (token) {
      case START_OBJECT -> {
        Map<String, Object> map = new LinkedHashMap<>();
        while (json.nextToken() == JsonToken.FIELD_NAME) {
          String name = json.currentName();
          json.nextToken();
          map.put(name, value(json));
        }
        yield map;
      }
      case START_ARRAY -> {
        List<Object> list = new ArrayList<>();
        while (json.nextToken() != JsonToken.END_ARRAY) {
          list.add(value(json));
        }
        yield list;
      }
      case VALUE_STRING -> json.getText();
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> json.getNumberValue();
      case VALUE_TRUE -> true;
      case VALUE_FALSE -> false;
      default -> null;
    };
  }
}
