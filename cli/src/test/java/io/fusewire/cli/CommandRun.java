// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What the command did with some arguments, run in this JVM. */
record CommandRun(int code, String out, String err) {

  static CommandRun of(Object... arguments) {
    String[] texts = new String[arguments.length];
    for (int i = 0; i < arguments.length; i++) {
      texts[i] = arguments[i].toString();
    }
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int code = Main.run(texts, new PrintWriter(out, true), new PrintWriter(err, true));
    return new CommandRun(code, out.toString(), err.toString());
  }

  String lastLine() {
    List<String> lines = out.lines().toList();
    return lines.isEmpty() ? "" : lines.get(lines.size() - 1);
  }

  /** The last line as a JSON object: field by field, nested objects and lists left out. */
  Map<String, Object> json() throws IOException {
    return fields(lastLine());
  }

  static Map<String, Object> fields(String line) throws IOException {
    Map<String, Object> fields = new LinkedHashMap<>();
    try (JsonParser json = new JsonFactory().createParser(line)) {
      if (json.nextToken() != JsonToken.START_OBJECT) {
        throw new IOException("not a JSON object: " + line);
      }
      while (json.nextToken() != JsonToken.END_OBJECT) {
        String name = json.currentName();
        switch (json.nextToken()) {
          case START_OBJECT, START_ARRAY -> json.skipChildren();
          case VALUE_NUMBER_INT -> fields.put(name, json.getLongValue());
          case VALUE_NUMBER_FLOAT -> fields.put(name, json.getDoubleValue());
          case VALUE_STRING -> fields.put(name, json.getText());
          case VALUE_TRUE -> fields.put(name, true);
          case VALUE_FALSE -> fields.put(name, false);
          default -> fields.put(name, null);
        }
      }
      if (json.nextToken() != null) {
        throw new IOException("more than one JSON value: " + line);
      }
    }
    return fields;
  }
}
