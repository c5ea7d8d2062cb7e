// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import io.fusewire.io.AtomicFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Shows measurements as a table and as JSON. */
final class Report {
  private static final double MILLI = 1e3;

  /** What becomes an object of a result file: at least a case, a metric, a value and its unit. */
  interface Entry {
    /** Writes the object's fields. */
    void write(JsonGenerator json) throws IOException;
  }

  private Report() {}

  /** Prints a table, times in milliseconds as median (20th to 80th percentile). */
  static void print(List<Measurement> measurements, PrintWriter out) {
    String row = "%-39s %-13s %26s %26s %7s %7s %9s%n";
    out.printf(row, "case", "peer", "ours, ms", "peer, ms", "ratio", "aim", "error");
    for (Measurement m : measurements) {
      out.printf(
          row,
          m.name(),
          m.peer(),
          milliseconds(m.ours()),
          m.compared() ? milliseconds(m.theirs().timing()) : "",
          m.compared() ? format("%.2f", m.ratio()) : "",
          Double.isNaN(m.limit()) ? "" : format("<=%.1f", m.limit()),
          Double.isNaN(m.error()) ? "" : format("%.1e", m.error()));
      if (m.theirs() != null && !m.compared()) {
        out.println("  " + m.peer() + " takes no part: " + m.theirs().reason());
      }
    }
    out.flush();
  }

  /** Prints the figures among some entries, if there are any. */
  static void printFigures(List<? extends Entry> entries, PrintWriter out) {
    String row = "%-39s %-15s %14s %-9s %-22s %14s %7s";
    boolean first = true;
    for (Entry entry : entries) {
      if (entry instanceof Figure figure) {
        if (first) {
          out.println();
          out.println(format(row, "case", "metric", "ours", "unit", "beside", "that", "ratio"));
          first = false;
        }
        boolean peer = figure.peer() != null;
        out.println(
            format(
                    row,
                    figure.name(),
                    figure.metric(),
                    format("%.1f", figure.value()),
                    figure.unit(),
                    peer ? figure.peer() : "",
                    peer ? format("%.1f", figure.peerValue()) : "",
                    peer ? format("%.3f", figure.value() / figure.peerValue()) : "")
                .stripTrailing());
      }
    }
    out.flush();
  }

  /** Both lists, one after the other. */
  static List<Entry> joined(List<? extends Entry> first, List<? extends Entry> second) {
    List<Entry> all = new ArrayList<>(first);
    all.addAll(second);
    return all;
  }

  private static String milliseconds(Timing timing) {
    return format(
        "%.3f (%.3f-%.3f)", timing.median() * MILLI, timing.low() * MILLI, timing.high() * MILLI);
  }

  private static String format(String pattern, Object... values) {
    return String.format(Locale.ROOT, pattern, values);
  }

  /**
   * Writes a list: first an object on machine and settings, then one object for each measurement.
   */
  static void write(Map<String, String> header, List<? extends Entry> entries, Path file)
      throws IOException {
    AtomicFile.replace(
        file,
        channel -> {
          // Whoever replaces the file closes the channel.
          Writer writer = Channels.newWriter(channel, StandardCharsets.UTF_8);
          JsonGenerator json =
              new JsonFactory()
                  .createGenerator(writer)
                  .disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
          json.setPrettyPrinter(new DefaultPrettyPrinter());
          json.writeStartArray();
          json.writeStartObject();
          for (Map.Entry<String, String> entry : header.entrySet()) {
            json.writeStringField(entry.getKey(), entry.getValue());
          }
          json.writeEndObject();
          for (Entry entry : entries) {
            json.writeStartObject();
            entry.write(json);
            json.writeEndObject();
          }
          json.writeEndArray();
          json.writeRaw('\n');
          json.flush();
        });
  }
}
