// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.layers.Match;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What was measured of one operation on one problem, all of it in the same rounds.
 *
 * @param name the case, such as {@code b0:stage2/dw/forward/batch8/f32}
 * @param ours our call
 * @param theirs libtorch's
 * @param memcpy copying as many bytes as the call must move at least
 * @param bytes those bytes
 * @param operations floating-point operations of convolutions and products; NaN for none
 * @param peak the measured peak
 * @param difference our results against libtorch's
 */
record OperationResult(
    String name,
    Timing ours,
    Timing theirs,
    Timing memcpy,
    long bytes,
    double operations,
    Peak peak,
    Match.Difference difference) {
  private static final double MILLI = 1e3;
  private static final double GIGA = 1e-9;
  private static final String ROW = "%-48s %24s %7s %7s %8s %6s %10s %6s %9s";

  private double bandwidth() {
    return bytes / ours.median() * GIGA;
  }

  private double memcpyBandwidth() {
    return bytes / memcpy.median() * GIGA;
  }

  private double rate() {
    return operations / ours.median() * GIGA;
  }

  /** The objects of a result file. */
  List<Report.Entry> entries() {
    List<Report.Entry> entries = new ArrayList<>();
    entries.add(
        new Measurement(name, "time", "libtorch", ours, theirs, Double.NaN, difference.relative()));
    entries.add(new Figure(name, "bandwidth", bandwidth(), "GB/s", "memcpy", memcpyBandwidth()));
    if (!Double.isNaN(operations)) {
      entries.add(
          new Figure(
              name, "throughput", rate(), "GFLOP/s", "measured peak", peak.perSecond() * GIGA));
    }
    entries.add(
        new Figure(name, "largest error", difference.largest(), "of the largest value", null, 0));
    return entries;
  }

  /** What the columns of {@link #row} are. */
  static String heading() {
    return String.format(
        Locale.ROOT,
        ROW,
        "case",
        "ours, ms",
        "GB/s",
        "memcpy",
        "GFLOP/s",
        "peak",
        "libtorch",
        "ratio",
        "error");
  }

  /** A line of the table: time as median (20th to 80th percentile). */
  String row() {
    boolean products = !Double.isNaN(operations);
    return String.format(
        Locale.ROOT,
        ROW,
        name,
        format("%.3f (%.3f-%.3f)", ours.median() * MILLI, ours.low() * MILLI, ours.high() * MILLI),
        format("%.1f", bandwidth()),
        format("%.0f %%", 100 * bandwidth() / memcpyBandwidth()),
        products ? format("%.1f", rate()) : "",
        products ? format("%.0f %%", 100 * rate() / (peak.perSecond() * GIGA)) : "",
        format("%.3f", theirs.median() * MILLI),
        format("%.2f", ours.median() / theirs.median()),
        format("%.1e", difference.largest()));
  }

  private static String format(String pattern, Object... values) {
    return String.format(Locale.ROOT, pattern, values);
  }
}
