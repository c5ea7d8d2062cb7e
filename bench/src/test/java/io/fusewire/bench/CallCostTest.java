// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class CallCostTest {
  private static final List<CallCost> COSTS =
      List.of(
          new CallCost("MeanPool.forward", CallCost.TIME, 41.25, "ns", 0.5, 5),
          new CallCost("MeanPool.forward", CallCost.ALLOCATED, 0, "B", Double.NaN, 5));

  @TempDir private Path folder;

  @Test
  void aBenchmarkIsNamedAsTheCallItMakes() {
    assertEquals(
        "DepthwiseConv.forward",
        CallCost.name("io.fusewire.bench.calls.DepthwiseConvBenchmark.forward"));
  }

  @Test
  void theTableHasOneLineForEachCall() {
    StringWriter text = new StringWriter();
    CallsCommand.print(COSTS, new PrintWriter(text));
    List<String> lines = text.toString().lines().toList();
    assertEquals(2, lines.size());
    assertTrue(lines.get(1).matches("MeanPool.forward +41\\.3 +0\\.00"), lines.get(1));
  }

  @Test
  void jsonHasTheUnitOfEveryValue() throws IOException {
    Path file = folder.resolve("calls.json");
    Report.write(Map.of("commit", "abc"), COSTS, file);
    String json = Files.readString(file).replaceAll("\\s", "");
    assertEquals(
        "[{\"commit\":\"abc\"},"
            + "{\"case\":\"MeanPool.forward\",\"metric\":\"time\",\"value\":41.25,"
            + "\"unit\":\"ns\",\"error\":0.5,\"runs\":5},"
            + "{\"case\":\"MeanPool.forward\",\"metric\":\"allocated\",\"value\":0.0,"
            + "\"unit\":\"B\",\"runs\":5}]",
        json);
  }
}
