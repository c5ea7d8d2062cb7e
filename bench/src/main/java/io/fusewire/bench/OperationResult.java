// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.layers.Difference;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What was measured of one operation on one problem, all of it in the same rounds.
 *
 * @param name the case, such as {@code b0:stage2/dw/forward/batch8/f32}
 * @param ours our call
 * @param peers the others' calls
 * @param copy copying as many bytes as the call must move at least
 * @param copied what made that copy, such as {@code memcpy}
 * @param bytes those bytes
 * @param operations floating-point operations of convolutions and products; NaN for none
 * @param limits what the device can do
 * @param difference our results against the reference's; null where there is none
 */
record OperationResult(
    String name,
    Timing ours,
    List<PeerTime> peers,
    Timing copy,
    String copied,
    long bytes,
    double operations,
    Limits limits,
    Difference difference) {
  private static final double MILLI = 1e3;
  private static final double GIGA = 1e-9;
  private static final String ROW = "%-52s %24s %7s %7s %8s %6s %9s  %-15s %9s %6s";

  OperationResult {
    peers = List.copyOf(peers);
  }

  private double bandwidth() {
    return bytes / ours.median() * GIGA;
  }

  private double copyBandwidth() {
    return bytes / copy.median() * GIGA;
  }

  private double rate() {
    return operations / ours.median() * GIGA;
  }

  /** The objects of a result file. */
  List<Report.Entry> entries() {
    double relative = difference == null ? Double.NaN : difference.relative();
    List<Report.Entry> entries = new ArrayList<>();
    for (PeerTime peer : peers) {
      entries.add(new Measurement(name, "time", ours, peer, Double.NaN, relative));
    }
    if (peers.isEmpty()) {
      entries.add(new Measurement(name, "time", ours, null, Double.NaN, relative));
    }
    entries.add(new Figure(name, "bandwidth", bandwidth(), "GB/s", copied, copyBandwidth()));
    if (!Double.isNaN(operations)) {
      entries.add(
          new Figure(name, "throughput", rate(), "GFLOP/s", "measured peak", limits.peakInGiga()));
    }
    if (difference != null) {
      entries.add(
          new Figure(name, "largest error", difference.largest(), "of the largest value", null, 0));
    }
    return entries;
  }

  /** What the columns of {@link #rows} are. */
  static String heading() {
    return String.format(
            Locale.ROOT,
            ROW,
            "case",
            "ours, ms",
            "GB/s",
            "of copy",
            "GFLOP/s",
            "peak",
            "error",
            "peer",
            "peer, ms",
            "ratio")
        .stripTrailing();
  }

  /** Lines of the table, one for each peer: time as median (20th to 80th percentile). */
  List<String> rows() {
    List<String> rows = new ArrayList<>();
    rows.add(row(peers.isEmpty() ? null : peers.get(0), true));
    for (int i = 1; i < peers.size(); i++) {
      rows.add(row(peers.get(i), false));
    }
    return rows;
  }

  private String row(PeerTime peer, boolean first) {
    boolean products = first && !Double.isNaN(operations);
    boolean compared = peer != null && peer.timing() != null;
    String row =
        String.format(
            Locale.ROOT,
            ROW,
            first ? name : "",
            first
                ? format(
                    "%.4f (%.4f-%.4f)",
                    ours.median() * MILLI, ours.low() * MILLI, ours.high() * MILLI)
                : "",
            first ? format("%.1f", bandwidth()) : "",
            first ? format("%.0f %%", 100 * bandwidth() / copyBandwidth()) : "",
            products ? format("%.1f", rate()) : "",
            products ? format("%.0f %%", 100 * rate() / limits.peakInGiga()) : "",
            first && difference != null ? format("%.1e", difference.largest()) : "",
            peer == null ? "" : peer.name(),
            compared ? format("%.4f", peer.timing().median() * MILLI) : "",
            compared ? format("%.2f", ours.median() / peer.timing().median()) : "");
    return (peer != null && !compared ? row.stripTrailing() + " " + peer.reason() : row)
        .stripTrailing();
  }

  private static String format(String pattern, Object... values) {
    return String.format(Locale.ROOT, pattern, values);
  }
}
