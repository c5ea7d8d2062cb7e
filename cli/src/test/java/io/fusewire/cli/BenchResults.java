// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What {@code ./fusewire bench model --json FILE} wrote, and how the README shows it. */
final class BenchResults {
  private BenchResults() {}

  /** The measurements of a file, without its header. */
  static List<Map<String, Object>> read(Path file) throws IOException {
    List<Map<String, Object>> results = new ArrayList<>();
    try (JsonParser json = new JsonFactory().createParser(file.toFile())) {
      if (json.nextToken() != JsonToken.START_ARRAY) {
        throw new IOException(file + " is not a JSON list");
      }
      while (json.nextToken() == JsonToken.START_OBJECT) {
        Map<String, Object> fields = new LinkedHashMap<>();
        while (json.nextToken() != JsonToken.END_OBJECT) {
          String name = json.currentName();
          fields.put(
              name, json.nextToken().isNumeric() ? (Object) json.getDoubleValue() : json.getText());
        }
        if (fields.containsKey("case")) {
          results.add(fields);
        }
      }
    }
    return results;
  }

  /** A row of the README's table. */
  static String row(Map<String, Object> result) {
    return "| %s | %s | %s | %s | %s |"
        .formatted(
            result.get("case"),
            milliseconds(result.get("value")),
            result.get("peer"),
            milliseconds(result.get("peer_value")),
            String.format(Locale.ROOT, "%.2f", (double) result.get("ratio")));
  }

  /** Three or so digits that mean something. */
  private static String milliseconds(Object value) {
    double number = (double) value;
    String pattern = number >= 100 ? "%.0f" : number >= 10 ? "%.1f" : "%.3f";
    return String.format(Locale.ROOT, pattern, number);
  }
}
