// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.fusewire.model.Preprocessing;
import java.io.IOException;

/** What is done to images before a network sees them, for people and as JSON. */
final class PreprocessingLine {
  private PreprocessingLine() {}

  static String of(Preprocessing how) {
    String size =
        how.wholeImage()
            ? "the whole image as %d x %d".formatted(how.height(), how.width())
            : "shorter side %d, the middle %d".formatted(how.shorterSide(), how.window());
    return "%s, %s; mean %s, std %s".formatted(size, how.interpolation(), how.mean(), how.std());
  }

  static void write(JsonGenerator json, String field, Preprocessing how) throws IOException {
    json.writeObjectFieldStart(field);
    json.writeNumberField("height", how.height());
    json.writeNumberField("width", how.width());
    json.writeNumberField("window", how.window());
    json.writeBooleanField("whole_image", how.wholeImage());
    json.writeStringField("interpolation", how.interpolation().toString());
    json.writeNumberField("crop_fraction", how.cropFraction());
    json.writeArrayFieldStart("mean");
    for (float mean : how.mean()) {
      json.writeNumber(mean);
    }
    json.writeEndArray();
    json.writeArrayFieldStart("std");
    for (float std : how.std()) {
      json.writeNumber(std);
    }
    json.writeEndArray();
    json.writeEndObject();
  }
}
