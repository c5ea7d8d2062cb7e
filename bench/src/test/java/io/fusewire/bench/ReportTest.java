// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ReportTest {
  private static final List<Measurement> MEASUREMENTS =
      List.of(
          new Measurement(
              "b0@224/train/batch8/f32",
              "time",
              "libtorch",
              new Timing(0.3, 0.29, 0.31, 5),
              new Timing(0.6, 0.5, 0.7, 5),
              1,
              2e-6),
          new Measurement(
              "b0:stage0/dw/forward/batch8/f32",
              "time",
              "memcpy",
              new Timing(0.003, 0.002, 0.004, 5),
              new Timing(0.002, 0.001, 0.003, 5),
              1.8,
              Double.NaN));

  @TempDir private Path folder;

  @Test
  void jsonIsAHeaderThenTheMeasurements() throws IOException {
    Path file = folder.resolve("new/result.json");
    Report.write(Map.of("commit", "abc"), MEASUREMENTS, file);
    List<Map<String, String>> objects = ResultFile.read(file);
    assertEquals(3, objects.size());
    assertEquals("abc", objects.get(0).get("commit"));
    Map<String, String> train = objects.get(1);
    assertEquals("b0@224/train/batch8/f32", train.get("case"));
    assertEquals("time", train.get("metric"));
    assertEquals("ms", train.get("unit"));
    assertEquals("libtorch", train.get("peer"));
    assertEquals(300, Double.parseDouble(train.get("value")), 1e-9);
    assertEquals(600, Double.parseDouble(train.get("peer_value")), 1e-9);
    assertEquals(0.5, Double.parseDouble(train.get("ratio")), 1e-12);
    assertTrue(train.containsKey("relative_error"));
    assertEquals(1.5, Double.parseDouble(objects.get(2).get("ratio")), 1e-12);
  }

  @Test
  void tableHasOneLineForEachMeasurement() {
    StringWriter text = new StringWriter();
    Report.print(MEASUREMENTS, new PrintWriter(text));
    List<String> lines = text.toString().lines().toList();
    assertEquals(3, lines.size());
    assertTrue(lines.get(1).contains("0.50"), lines.get(1));
    assertTrue(lines.get(1).contains("300.000 (290.000-310.000)"), lines.get(1));
  }
}
