// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.fusewire.io.AtomicFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Measured times by name, in memory and in a file that later processes read. The file is a
 * convenience: whatever is wrong with it is logged, and what it had is measured again.
 */
final class ExpansionTable {
  private static final System.Logger LOG = System.getLogger("io.fusewire.graph");
  private static final String LIBRARY = "library";
  private static final String NANOSECONDS = "nanoseconds";

  private final Path file;
  private final String library;
  private final Map<String, ExpansionTimes> times = new LinkedHashMap<>();
  private boolean changed;

  /**
   * Reads the file if there is one.
   *
   * @param file where times are kept
   * @param library what was measured; the times of another are not taken
   */
  ExpansionTable(Path file, String library) {
    this.file = file;
    this.library = library;
    times.putAll(kept(System.Logger.Level.INFO));
  }

  /** The times of a name; null if they were not measured yet. */
  ExpansionTimes get(String name) {
    return times.get(name);
  }

  /** Takes times, for {@link #save}. */
  void put(String name, ExpansionTimes measured) {
    times.put(name, measured);
    changed = true;
  }

  /** Writes the file if there is something new, with what others wrote to it meanwhile. */
  void save() {
    if (!changed) {
      return;
    }
    changed = false;
    // What is wrong with it has been said by now.
    kept(System.Logger.Level.DEBUG).forEach(times::putIfAbsent);
    try {
      byte[] content = content();
      AtomicFile.replace(
          file,
          channel -> {
            for (ByteBuffer rest = ByteBuffer.wrap(content); rest.hasRemaining(); ) {
              channel.write(rest);
            }
          });
    } catch (IOException e) {
      LOG.log(
          System.Logger.Level.INFO,
          "what was measured is not kept, {0} cannot be written: {1}",
          file,
          e.toString());
    }
  }

  private byte[] content() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator json = new JsonFactory().createGenerator(bytes)) {
      json.useDefaultPrettyPrinter();
      json.writeStartObject();
      json.writeStringField(LIBRARY, library);
      json.writeObjectFieldStart(NANOSECONDS);
      for (Map.Entry<String, ExpansionTimes> entry : times.entrySet()) {
        json.writeArrayFieldStart(entry.getKey());
        ExpansionTimes t = entry.getValue();
        for (long time : List.of(t.stored(), t.onChip(), t.usualStored(), t.usualOnChip())) {
          json.writeNumber(time);
        }
        json.writeEndArray();
      }
      json.writeEndObject();
      json.writeEndObject();
    }
    return bytes.toByteArray();
  }

  private Map<String, ExpansionTimes> kept(System.Logger.Level level) {
    if (!Files.exists(file)) {
      return Map.of();
    }
    try (JsonParser json = new JsonFactory().createParser(Files.readAllBytes(file))) {
      return read(json);
    } catch (IOException | IllegalArgumentException e) {
      LOG.log(
          level,
          "{0} cannot be read, so that what it had is measured again: {1}",
          file,
          e.toString());
      return Map.of();
    }
  }

  private Map<String, ExpansionTimes> read(JsonParser json) throws IOException {
    expect(json, JsonToken.START_OBJECT);
    field(json, LIBRARY);
    expect(json, JsonToken.VALUE_STRING);
    if (!json.getText().equals(library)) {
      return Map.of();
    }
    field(json, NANOSECONDS);
    expect(json, JsonToken.START_OBJECT);
    Map<String, ExpansionTimes> found = new LinkedHashMap<>();
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String name = json.currentName();
      expect(json, JsonToken.START_ARRAY);
      found.put(name, new ExpansionTimes(number(json), number(json), number(json), number(json)));
      expect(json, JsonToken.END_ARRAY);
    }
    // The parser itself refuses a file that ends too early.
    expect(json, JsonToken.END_OBJECT);
    return found;
  }

  private static long number(JsonParser json) throws IOException {
    expect(json, JsonToken.VALUE_NUMBER_INT);
    return json.getLongValue();
  }

  private static void field(JsonParser json, String name) throws IOException {
    expect(json, JsonToken.FIELD_NAME);
    if (!json.currentName().equals(name)) {
      throw new IOException("'" + json.currentName() + "' where '" + name + "' belongs");
    }
  }

  private static void expect(JsonParser json, JsonToken token) throws IOException {
    if (json.nextToken() != token) {
      throw new IOException(json.currentToken() + " where " + token + " belongs");
    }
  }
}
