// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Runs the golden cases on a device: to keep their results, to compare them, to repeat them. */
final class GoldenTests {
  private final Device device;
  private final PrintWriter out;

  GoldenTests(Device device, PrintWriter out) {
    this.device = device;
    this.out = out;
  }

  /** All cases, or only the tiny ones. */
  static List<GoldenCase> cases(boolean tiny) {
    List<GoldenCase> cases = new ArrayList<>(OperationCases.all());
    cases.addAll(NetworkCases.all());
    cases.removeIf(c -> tiny && !c.tiny());
    return cases;
  }

  /** Computes every case and keeps the results in a file. */
  void write(Path file) throws IOException {
    Map<String, Map<String, Sketch>> results = new LinkedHashMap<>();
    try (Stream stream = Stream.open(device)) {
      for (GoldenCase golden : cases(false)) {
        Map<String, Sketch> sketches = GoldenFile.sketches(golden.run(stream));
        if (sketches.isEmpty()) {
          throw new IllegalStateException(golden.name() + " changes nothing");
        }
        results.put(golden.name(), sketches);
      }
    }
    GoldenFile.write(file, device, results);
    out.println("golden: " + results.size() + " cases written to " + file);
  }

  /** Compares every case; the tally counts cases. */
  Tally compare(GoldenFile file, boolean tiny) {
    boolean exact = file.sameCode(device);
    Comparison comparison = new Comparison(file, exact);
    Tally tally = new Tally();
    try (Stream stream = Stream.open(device)) {
      for (GoldenCase golden : cases(tiny)) {
        String wrong;
        try {
          wrong = comparison.compare(golden, GoldenFile.sketches(golden.run(stream)));
        } catch (RuntimeException e) {
          wrong = e.toString();
        }
        tally.count(wrong.isEmpty());
        if (!wrong.isEmpty()) {
          out.println("golden: FAILED " + golden.name() + ": " + wrong);
        }
      }
    }
    out.printf(
        "golden: %s of %s, %s%n",
        tally,
        "the results of a CPU at " + file.level(),
        exact
            ? "bit for bit"
            : "largest error %.2f of what is allowed, in %s"
                .formatted(comparison.worst(), comparison.worstName()));
    return tally;
  }

  /**
   * Repeats every network's backward pass, and operations of odd sizes, and counts the times when
   * all results had the bits of the first.
   */
  Tally repeat(int times, boolean tiny) {
    Tally tally = new Tally();
    List<OperationCase> operations =
        OperationCases.all().stream()
            .filter(c -> tiny ? c.tiny() : c.name().startsWith(Dimensions.ODD.name()))
            .toList();
    try (Stream stream = Stream.open(device);
        NetworkRepeats networks = new NetworkRepeats(stream, tiny)) {
      Map<String, Long> first = new LinkedHashMap<>();
      for (int time = 0; time < times; time++) {
        Map<String, Long> sums = networks.run();
        for (OperationCase operation : operations) {
          long sum = 0;
          for (Sketch sketch : GoldenFile.sketches(operation.run(stream)).values()) {
            sum = 31 * sum + sketch.checksum();
          }
          sums.put(operation.name(), sum);
        }
        if (time == 0) {
          first = sums;
        }
        Map<String, Long> expected = first;
        List<String> moved =
            sums.keySet().stream().filter(n -> !sums.get(n).equals(expected.get(n))).toList();
        tally.count(moved.isEmpty());
        if (!moved.isEmpty()) {
          out.println("repeat: FAILED, time " + (time + 1) + " has other bits: " + moved);
        }
      }
    }
    out.println("repeat: " + tally + " times the same bits, networks and operations");
    return tally;
  }
}
