// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;

/**
 * A number that stands beside a time.
 *
 * @param name the case
 * @param metric what it is
 * @param value the number
 * @param unit its unit
 * @param peer what it is to be compared with; null for nothing
 * @param peerValue the peer's number, in the same unit
 */
record Figure(String name, String metric, double value, String unit, String peer, double peerValue)
    implements Report.Entry {

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStringField("case", name);
    json.writeStringField("metric", metric);
    json.writeNumberField("value", value);
    json.writeStringField("unit", unit);
    if (peer != null) {
      json.writeStringField("peer", peer);
      json.writeNumberField("peer_value", peerValue);
      json.writeNumberField("ratio", value / peerValue);
    }
  }
}
