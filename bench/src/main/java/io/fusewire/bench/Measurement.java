// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;

/**
 * One line of a report: ours beside a peer's, from one interleaved run.
 *
 * @param name the case, such as {@code b0@224/train/batch8/f32}
 * @param metric what is measured, a time
 * @param peer whose time stands beside ours
 * @param ours our time
 * @param theirs the peer's time
 * @param limit the highest ratio that is aimed at; NaN where there is none
 * @param error relative error of our result against the peer's, as 2-norms; NaN where there is none
 *     to compare
 */
record Measurement(
    String name, String metric, String peer, Timing ours, Timing theirs, double limit, double error)
    implements Report.Entry {
  private static final double MILLI = 1e3;

  /** Ours over theirs: below 1 we are faster. */
  double ratio() {
    return ours.median() / theirs.median();
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStringField("case", name);
    json.writeStringField("metric", metric);
    json.writeNumberField("value", ours.median() * MILLI);
    json.writeNumberField("value_p20", ours.low() * MILLI);
    json.writeNumberField("value_p80", ours.high() * MILLI);
    json.writeStringField("unit", "ms");
    json.writeStringField("peer", peer);
    json.writeNumberField("peer_value", theirs.median() * MILLI);
    json.writeNumberField("peer_value_p20", theirs.low() * MILLI);
    json.writeNumberField("peer_value_p80", theirs.high() * MILLI);
    json.writeNumberField("ratio", ratio());
    if (Double.isFinite(limit)) {
      json.writeNumberField("aim", limit);
    }
    json.writeNumberField("runs", ours.runs());
    if (Double.isFinite(error)) {
      json.writeNumberField("relative_error", error);
    }
  }
}
