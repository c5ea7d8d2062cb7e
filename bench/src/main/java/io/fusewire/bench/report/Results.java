// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.report;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import io.fusewire.io.FileFormatException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A result file.
 *
 * @param name the file's name without its ending
 * @param facts the header, by name
 * @param entries what was measured, in the file's order
 */
record Results(String name, Map<String, String> facts, List<Entry> entries) {
  Results {
    facts = Collections.unmodifiableMap(new LinkedHashMap<>(facts));
    entries = List.copyOf(entries);
  }

  /**
   * One object of a file.
   *
   * @param name the case
   * @param metric what it is
   * @param value the number
   * @param unit its unit
   * @param peer what stands beside it, or took no part; "" for nothing
   * @param peerValue that one's number; NaN if it has none
   * @param ratio ours over the peer's; NaN without one
   * @param reason why the peer took no part; "" if it did, or there is none
   */
  record Entry(
      String name,
      String metric,
      double value,
      String unit,
      String peer,
      double peerValue,
      double ratio,
      String reason) {
    private static final Pattern LAYER =
        Pattern.compile("(\\w+:[\\w./]+?)/([\\w-]+)/batch(\\d+)/(\\w+?)(/(?:warm|cold))?");
    private static final Pattern NETWORK =
        Pattern.compile("(\\w+@\\d+)/([\\w-]+)/batch(\\d+)/(\\w+)");

    /** Whether it compares times. */
    boolean comparesTimes() {
      return metric.equals("time") && ratio > 0;
    }

    /** The layer that it is about; null if it is about none. */
    Matcher layer() {
      return matched(LAYER);
    }

    /** The network's batch that it is about; null if it is about none. */
    Matcher network() {
      return matched(NETWORK);
    }

    private Matcher matched(Pattern pattern) {
      Matcher matcher = pattern.matcher(name);
      return matcher.matches() ? matcher : null;
    }
  }

  /**
   * Reads a file.
   *
   * @throws FileFormatException if it is not one that a benchmark wrote
   */
  static Results read(Path file) throws IOException {
    String name = file.getFileName().toString().replaceFirst("\\.json$", "");
    Map<String, String> facts = null;
    List<Entry> entries = new ArrayList<>();
    try (JsonParser json = new JsonFactory().createParser(file.toFile())) {
      if (json.nextToken() != JsonToken.START_ARRAY) {
        throw new FileFormatException(file, "it is no list of results");
      }
      while (json.nextToken() == JsonToken.START_OBJECT) {
        Map<String, String> fields = object(json, file);
        if (facts == null) {
          facts = fields;
        } else {
          entries.add(entry(fields, file));
        }
      }
      if (json.currentToken() != JsonToken.END_ARRAY) {
        throw new FileFormatException(file, "it ends in the middle");
      }
    } catch (JsonProcessingException e) {
      throw new FileFormatException(file, "it is no JSON: " + e.getOriginalMessage(), e);
    }
    if (facts == null || facts.containsKey("case") || !facts.containsKey("commit")) {
      throw new FileFormatException(file, "it has no header that names a commit");
    }
    return new Results(name, facts, entries);
  }

  private static Map<String, String> object(JsonParser json, Path file) throws IOException {
    Map<String, String> fields = new LinkedHashMap<>();
    while (json.nextToken() != JsonToken.END_OBJECT) {
      String name = json.currentName();
      JsonToken token = json.nextToken();
      if (token == null || !token.isScalarValue()) {
        throw new FileFormatException(file, name + " is no text or number");
      }
      fields.put(name, json.getText());
    }
    return fields;
  }

  private static Entry entry(Map<String, String> fields, Path file) throws FileFormatException {
    for (String needed : List.of("case", "metric", "value", "unit")) {
      if (!fields.containsKey(needed)) {
        throw new FileFormatException(file, "a result has no " + needed + ": " + fields);
      }
    }
    try {
      return new Entry(
          fields.get("case"),
          fields.get("metric"),
          number(fields, "value"),
          fields.get("unit"),
          fields.getOrDefault("peer", fields.getOrDefault("peer_missing", "")),
          number(fields, "peer_value"),
          number(fields, "ratio"),
          fields.getOrDefault("reason", ""));
    } catch (NumberFormatException e) {
      throw new FileFormatException(file, "a result's number is none: " + fields, e);
    }
  }

  private static double number(Map<String, String> fields, String name) {
    String text = fields.get(name);
    return text == null ? Double.NaN : Double.parseDouble(text);
  }
}
