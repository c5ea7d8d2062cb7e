// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.StringWriter;
import java.util.LinkedHashMap;
import java.util.Map;

/** One flat JSON object on a line: texts, numbers and truth values by name. */
final class JsonLine {
  private static final JsonFactory FACTORY = new JsonFactory();

  private JsonLine() {}

  /** Writes an object, without the end of the line. */
  static String of(Map<String, ?> fields) {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = FACTORY.createGenerator(text)) {
      json.writeStartObject();
      for (Map.Entry<String, ?> field : fields.entrySet()) {
        Object value = field.getValue();
        json.writeFieldName(field.getKey());
        if (value instanceof Boolean truth) {
          json.writeBoolean(truth);
        } else if (value instanceof Integer || value instanceof Long) {
          json.writeNumber(((Number) value).longValue());
        } else if (value instanceof Number number) {
          json.writeNumber(number.doubleValue());
        } else {
          json.writeString(String.valueOf(value));
        }
      }
      json.writeEndObject();
    } catch (IOException e) {
      throw new IllegalStateException("a line in memory cannot fail", e);
    }
    return text.toString();
  }

  /**
   * Reads an object: numbers as Double, truth values as Boolean, null as "".
   *
   * @throws IOException if the line is no flat object
   */
  static Map<String, Object> parse(String line) throws IOException {
    Map<String, Object> fields = new LinkedHashMap<>();
    try (JsonParser json = FACTORY.createParser(line)) {
      if (json.nextToken() != JsonToken.START_OBJECT) {
        throw new IOException("no JSON object");
      }
      while (json.nextToken() != JsonToken.END_OBJECT) {
        String name = json.currentName();
        JsonToken token = json.nextToken();
        if (token == null || token.isStructStart() || token.isStructEnd()) {
          throw new IOException("field " + name + " is no text or number");
        }
        fields.put(
            name,
            token.isNumeric()
                ? (Object) json.getDoubleValue()
                : token.isBoolean()
                    ? (Object) json.getBooleanValue()
                    : token == JsonToken.VALUE_NULL ? "" : json.getText());
      }
      if (json.nextToken() != null) {
        throw new IOException("more than one JSON object");
      }
    }
    return fields;
  }
}
