// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What a benchmark wrote, and whether it has the form that all result files have. */
final class ResultFile {
  private static final Set<String> NUMBERS = Set.of("value", "peer_value", "ratio");

  private ResultFile() {}

  /** The objects of a file, their values as text; the first is the header. */
  static List<Map<String, String>> read(Path file) throws IOException {
    List<Map<String, String>> objects = new ArrayList<>();
    try (JsonParser json = new JsonFactory().createParser(file.toFile())) {
      assertEquals(JsonToken.START_ARRAY, json.nextToken());
      while (json.nextToken() == JsonToken.START_OBJECT) {
        Map<String, String> fields = new LinkedHashMap<>();
        while (json.nextToken() != JsonToken.END_OBJECT) {
          String name = json.currentName();
          JsonToken token = json.nextToken();
          assertTrue(token.isNumeric() || !NUMBERS.contains(name), name + " is no number");
          fields.put(name, json.getText());
        }
        objects.add(fields);
      }
    }
    return objects;
  }

  /** Refuses a file of another form; returns what comes after the header. */
  static List<Map<String, String>> check(Path file) throws IOException {
    List<Map<String, String>> objects = read(file);
    Map<String, String> header = objects.get(0);
    for (String fact : List.of("commit", "command", "date", "device", "threads", "native")) {
      assertFalse(header.getOrDefault(fact, "").isEmpty(), fact + " of " + header);
    }
    assertFalse(header.containsKey("case"));
    List<Map<String, String>> results = objects.subList(1, objects.size());
    assertFalse(results.isEmpty());
    for (Map<String, String> result : results) {
      for (String field : List.of("case", "metric", "value", "unit")) {
        assertFalse(result.getOrDefault(field, "").isEmpty(), field + " of " + result);
      }
      assertEquals(result.containsKey("peer"), result.containsKey("peer_value"), "" + result);
      assertEquals(result.containsKey("peer"), result.containsKey("ratio"), "" + result);
      if (result.containsKey("peer")) {
        double ratio =
            Double.parseDouble(result.get("value")) / Double.parseDouble(result.get("peer_value"));
        assertTrue(Math.abs(ratio / Double.parseDouble(result.get("ratio")) - 1) < 1e-9);
      }
    }
    return results;
  }
}
