// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import io.fusewire.model.Architecture;
import io.fusewire.model.ModelSummary;
import io.fusewire.ops.DType;
import java.io.PrintWriter;
import java.util.List;

/** The models there are, each with 1000 classes at its own resolution. */
record ModelList(List<Entry> entries) {
  private static final double GIGA = 1e9;

  record Entry(String name, String title, int resolution, long parameters, long macs) {}

  static ModelList ofAll() {
    return new ModelList(Architecture.names().stream().map(ModelList::entry).toList());
  }

  private static Entry entry(String name) {
    Architecture network = Architecture.byName(name).build();
    ModelSummary summary = ModelSummary.of(network, DType.F32);
    return new Entry(
        name, network.title(), network.resolution(), summary.parameters(), summary.macs());
  }

  void print(PrintWriter out) {
    Table table = new Table("name", "model", ">pixels", ">parameters", ">GMACs");
    for (Entry entry : entries) {
      table.row(
          entry.name(),
          entry.title(),
          Quantities.count(entry.resolution()),
          Quantities.count(entry.parameters()),
          Quantities.format("%.3f", entry.macs() / GIGA));
    }
    table.print(out);
  }

  String json() {
    return JsonLine.of(
        json -> {
          json.writeStartObject();
          json.writeArrayFieldStart("models");
          for (Entry entry : entries) {
            json.writeStartObject();
            json.writeStringField("name", entry.name());
            json.writeStringField("title", entry.title());
            json.writeNumberField("resolution", entry.resolution());
            json.writeNumberField("parameters", entry.parameters());
            json.writeNumberField("macs", entry.macs());
            json.writeEndObject();
          }
          json.writeEndArray();
          json.writeEndObject();
        });
  }
}
