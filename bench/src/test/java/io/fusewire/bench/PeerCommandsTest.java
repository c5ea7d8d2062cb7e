// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.bench.peer.ChildJvm;
import io.fusewire.bench.peer.FakePeer;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** Commands beside a PyTorch that is not one, in types and by clocks that a CPU has as well. */
final class PeerCommandsTest {
  @TempDir private Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private List<Map<String, String>> run(String fault, String... arguments) throws Exception {
    Path file = folder.resolve("result.json");
    List<String> all = new ArrayList<>(Arrays.asList(arguments));
    all.addAll(
        List.of(
            "--threads=1",
            "--rounds=3",
            "--json=" + file,
            "--peer=pytorch",
            "--python=" + ChildJvm.java(),
            "--peer-script=" + FakePeer.script(folder, fault)));
    int exit =
        new CommandLine(new Main())
            .setOut(new PrintWriter(out))
            .setErr(new PrintWriter(err))
            .execute(all.toArray(String[]::new));
    assertEquals(0, exit, err.toString());
    return ResultFile.check(file);
  }

  private static List<Map<String, String>> times(List<Map<String, String>> results, String name) {
    return results.stream()
        .filter(r -> r.get("case").equals(name) && r.get("metric").equals("time"))
        .toList();
  }

  @Test
  void operationsStandBesideEveryMode() throws Exception {
    List<Map<String, String>> results =
        run(
            "nothing",
            "ops",
            "b0:stage6/dw",
            "--operations=forward,inference-expanded",
            "--dtype=bf16",
            "--clock=events",
            "--cold",
            "--warm",
            "--batch=1",
            "--peer-modes=eager,compile");
    for (String name :
        List.of(
            "b0:stage6/dw/forward/batch1/bf16",
            "b0:stage6/dw/inference-expanded/batch1/bf16/warm")) {
      List<Map<String, String>> times = times(results, name);
      assertEquals(2, times.size(), name + " in " + results);
      assertEquals("pytorch eager", times.get(0).get("peer"));
      assertEquals(2, Double.parseDouble(times.get(0).get("peer_value")), 1e-9);
      assertTrue(Double.parseDouble(times.get(0).get("relative_error")) < 8e-3, "" + times);
      assertEquals("pytorch compile", times.get(1).get("peer_missing"));
      assertEquals("CompileError: \"no\" compiler", times.get(1).get("reason"));
    }
    Map<String, String> header = ResultFile.read(folder.resolve("result.json")).get(0);
    assertEquals("0.fake", header.get("pytorch version"));
    assertEquals("the device's events", header.get("clock"));
    assertTrue(header.get("measured peak").endsWith("PyTorch's product"), header.toString());
    assertTrue(out.toString().contains("CompileError"), out.toString());
  }

  @Test
  void networksHaveTimesMemoryAndShares() throws Exception {
    List<Map<String, String>> results =
        run(
            "nothing",
            "model",
            "--resolution=32",
            "--dtype=bf16",
            "--batch=2",
            "--infer-batch=1",
            "--peer-modes=eager,graph");
    for (String name : List.of("b0@32/train-step/batch2/bf16", "b0@32/infer-step/batch1/bf16")) {
      assertEquals(2, times(results, name).size());
      assertEquals(
          List.of(
              "images images/s pytorch eager",
              "images images/s pytorch graph",
              "bandwidth GB/s large memcpy",
              "throughput GFLOP/s measured peak",
              "peak memory MB pytorch eager",
              "peak memory MB pytorch graph"),
          results.stream()
              .filter(r -> r.get("case").equals(name) && !r.get("metric").equals("time"))
              .map(r -> r.get("metric") + " " + r.get("unit") + " " + r.get("peer"))
              .toList());
    }
    assertEquals(
        5,
        results.stream()
            .filter(r -> r.get("metric").equals("peak memory"))
            .mapToDouble(r -> Double.parseDouble(r.get("peer_value")))
            .findFirst()
            .orElseThrow(),
        1e-9);
  }

  @ParameterizedTest
  @ValueSource(strings = {"uninstalled", "tires"})
  void aPeerThatFailsIsAReasonAndNoMore(String fault) throws Exception {
    List<Map<String, String>> results =
        run(fault, "ops", "b0:pool", "--operations=forward", "--warm", "--dtype=f16");
    Map<String, String> time = times(results, "b0:pool/forward/batch8/f16/warm").get(0);
    assertFalse(time.containsKey("peer"), time.toString());
    String reason =
        fault.equals("tires") ? "CUDA out of memory" : "this Python has no usable torch";
    assertEquals(reason, time.get("reason"));
    if (fault.equals("uninstalled")) {
      assertTrue(err.toString().contains("pytorch takes no part: this Python"), err.toString());
    }
  }
}
