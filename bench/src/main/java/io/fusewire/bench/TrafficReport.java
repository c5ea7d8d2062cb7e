// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Shows what a network moves, as a table and as entries of a result file. */
final class TrafficReport {
  private static final double MEGA = 1e6;
  private static final double GIGA = 1e9;

  private static final Map<String, Double> AIMS =
      Map.of(
          "b0@224/train/bf16/total", 130 * MEGA,
          "b4@380/train/bf16/total", 960 * MEGA,
          "b0@224/infer/bf16/total", 32 * MEGA,
          "b0@224/infer-on-chip/bf16/total", 20 * MEGA,
          "b0@224/train/bf16/saved", 14 * MEGA,
          "b4@380/train/bf16/saved", 102 * MEGA,
          "b0@224/train/bf16/memory", 3.2 * GIGA);

  private final String name;
  private final TrafficCounts counts;
  private final long memory;

  /**
   * Makes a report.
   *
   * @param name the case, such as {@code b0@224/train/bf16}
   * @param counts what moves
   * @param memory the memory plan's bytes at the counts' batch, parameters included
   */
  TrafficReport(String name, TrafficCounts counts, long memory) {
    this.name = name;
    this.counts = counts;
    this.memory = memory;
  }

  String name() {
    return name;
  }

  TrafficCounts counts() {
    return counts;
  }

  /** What a network is judged by, in MB: moved and saved per image, and memory. */
  Map<String, Double> sums() {
    return Map.of(
        "total", counts.total().counted() / MEGA,
        "saved", counts.saved() / MEGA,
        "memory", memory / MEGA);
  }

  private static double aim(String entry) {
    return AIMS.getOrDefault(entry, Double.NaN);
  }

  private boolean trains() {
    return counts.saved() > 0;
  }

  /** The numbers for a result file: totals, then every part, then every step. */
  List<TrafficEntry> entries() {
    List<TrafficEntry> list = new ArrayList<>();
    add(list, name + "/total", counts.total());
    if (trains()) {
      list.add(
          new TrafficEntry(
              name + "/saved",
              "saved for backward",
              counts.saved(),
              TrafficEntry.PER_IMAGE,
              aim(name + "/saved")));
    }
    String memoryName = name + "/memory";
    list.add(
        new TrafficEntry(
            memoryName + "/batch" + counts.batch(),
            "memory plan",
            (double) memory,
            "B",
            aim(memoryName)));
    for (StepTraffic.Phase phase : StepTraffic.Phase.values()) {
      for (TensorTraffic.Kind kind : TensorTraffic.Kind.values()) {
        Bytes bytes = counts.of(phase, kind);
        if (bytes.requested() > 0) {
          add(list, "%s/%s/%s".formatted(name, lower(phase), lower(kind)), bytes);
        }
      }
    }
    for (int i = 0; i < counts.steps(); i++) {
      add(list, "%s/step/%d %s".formatted(name, i, counts.step(i).name()), counts.of(i));
    }
    return list;
  }

  private static void add(List<TrafficEntry> list, String name, Bytes bytes) {
    list.add(
        new TrafficEntry(name, "bytes moved", bytes.counted(), TrafficEntry.PER_IMAGE, aim(name)));
    list.add(entry(name, "bytes read", bytes.read()));
    list.add(entry(name, "bytes written", bytes.written()));
    list.add(entry(name, "least bytes", bytes.least()));
    list.add(entry(name, "bytes requested", bytes.requested()));
  }

  private static TrafficEntry entry(String name, String metric, double value) {
    return new TrafficEntry(name, metric, value, TrafficEntry.PER_IMAGE, Double.NaN);
  }

  /** Prints every step, then the sums. */
  void print(PrintWriter out, boolean tensors) {
    out.printf(
        "%s: MB per image at batch %d, counted with %s images%n%n",
        name, counts.batch(), counts.batches().get(0) + " and " + counts.batches().get(1));
    header(out, "step");
    StepTraffic.Phase phase = null;
    for (int i = 0; i < counts.steps(); i++) {
      StepTraffic step = counts.step(i);
      if (step.phase() != phase) {
        phase = step.phase();
        out.println("-- " + lower(phase));
      }
      row(out, step.name(), counts.of(i), Long.toString(step.launches()));
      if (tensors) {
        for (TrafficCounts.NamedBytes tensor : counts.tensors(i)) {
          row(
              out,
              "    %s (%s)".formatted(tensor.name(), lower(tensor.kind())),
              tensor.bytes(),
              "");
        }
      }
    }
    out.println();
    header(out, "sums");
    for (StepTraffic.Phase part : StepTraffic.Phase.values()) {
      for (TensorTraffic.Kind kind : TensorTraffic.Kind.values()) {
        Bytes bytes = counts.of(part, kind);
        if (bytes.requested() > 0) {
          row(out, "%s, %s".formatted(lower(part), lower(kind)), bytes, "");
        }
      }
    }
    Bytes total = counts.total();
    row(out, "total", total, "");
    out.println();
    aimed(out, "moved per image", total.counted(), name + "/total");
    if (trains()) {
      aimed(out, "saved for backward per image", counts.saved(), name + "/saved");
    }
    aimed(out, "memory at batch " + counts.batch(), (double) memory, name + "/memory");
    out.flush();
  }

  private static void header(PrintWriter out, String first) {
    out.printf(
        "%-44s %9s %9s %9s %9s %6s %10s %8s%n",
        first, "read", "written", "moved", "least", "ratio", "requested", "launches");
  }

  private static void row(PrintWriter out, String what, Bytes bytes, String launches) {
    out.printf(
        "%-44s %9s %9s %9s %9s %6s %10s %8s%n",
        what,
        mega(bytes.read()),
        mega(bytes.written()),
        mega(bytes.counted()),
        mega(bytes.least()),
        Double.isNaN(bytes.ratio()) ? "" : String.format(Locale.ROOT, "%.2f", bytes.ratio()),
        mega(bytes.requested()),
        launches);
  }

  private static void aimed(PrintWriter out, String what, double bytes, String entry) {
    double aim = aim(entry);
    out.printf(
        "%-44s %9s MB%s%n",
        what,
        String.format(Locale.ROOT, "%.1f", bytes / MEGA),
        Double.isNaN(aim) ? "" : String.format(Locale.ROOT, "   (aim: at most %.1f)", aim / MEGA));
  }

  private static String mega(double bytes) {
    return String.format(Locale.ROOT, "%.3f", bytes / MEGA);
  }

  private static String lower(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
