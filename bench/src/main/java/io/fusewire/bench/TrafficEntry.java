// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;

/**
 * One number of a traffic report.
 *
 * @param name the case, such as {@code b0@224/train/bf16/total}
 * @param metric what is counted
 * @param value the number
 * @param unit its unit
 * @param aim the most that is aimed at; NaN where there is no aim
 */
record TrafficEntry(String name, String metric, double value, String unit, double aim)
    implements Report.Entry {
  static final String PER_IMAGE = "B/image";

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStringField("case", name);
    json.writeStringField("metric", metric);
    json.writeNumberField("value", value);
    json.writeStringField("unit", unit);
    if (Double.isFinite(aim)) {
      json.writeNumberField("aim", aim);
    }
  }
}
