// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;

/**
 * One line of a report: our time, and beside it a peer's from the same interleaved run.
 *
 * @param name the case, such as {@code b0@224/train/batch8/f32}
 * @param metric what is measured, a time
 * @param ours our time
 * @param theirs the peer's time; null without a peer
 * @param limit the highest ratio that is aimed at; NaN where there is none
 * @param error relative error of our result against the reference's, as 2-norms; NaN where there is
 *     none to compare
 */
record Measurement(
    String name, String metric, Timing ours, PeerTime theirs, double limit, double error)
    implements Report.Entry {
  private static final double MILLI = 1e3;

  /** A peer that was measured. */
  Measurement(
      String name,
      String metric,
      String peer,
      Timing ours,
      Timing theirs,
      double limit,
      double error) {
    this(name, metric, ours, new PeerTime(peer, theirs, null), limit, error);
  }

  /** Whose time stands beside ours; "" for nobody's. */
  String peer() {
    return theirs == null ? "" : theirs.name();
  }

  /** Whether there is a time beside ours. */
  boolean compared() {
    return theirs != null && theirs.timing() != null;
  }

  /** Ours over theirs: below 1 we are faster. NaN without a peer's time. */
  double ratio() {
    return compared() ? ours.median() / theirs.timing().median() : Double.NaN;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStringField("case", name);
    json.writeStringField("metric", metric);
    json.writeNumberField("value", ours.median() * MILLI);
    json.writeNumberField("value_p20", ours.low() * MILLI);
    json.writeNumberField("value_p80", ours.high() * MILLI);
    json.writeStringField("unit", "ms");
    if (compared()) {
      Timing time = theirs.timing();
      json.writeStringField("peer", theirs.name());
      json.writeNumberField("peer_value", time.median() * MILLI);
      json.writeNumberField("peer_value_p20", time.low() * MILLI);
      json.writeNumberField("peer_value_p80", time.high() * MILLI);
      json.writeNumberField("ratio", ratio());
    } else if (theirs != null) {
      json.writeStringField("peer_missing", theirs.name());
      json.writeStringField("reason", theirs.reason());
    }
    if (Double.isFinite(limit)) {
      json.writeNumberField("aim", limit);
    }
    json.writeNumberField("runs", ours.runs());
    if (Double.isFinite(error)) {
      json.writeNumberField("relative_error", error);
    }
  }
}
