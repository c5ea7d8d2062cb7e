// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

final class OpsCommandTest {
  @TempDir private Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... arguments) {
    return new CommandLine(new OpsCommand())
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(arguments);
  }

  @Test
  @Tag("oracle")
  void measuresEveryOperationThatIsMeant() throws Exception {
    Path file = folder.resolve("new/ops.json");
    assertEquals(
        0,
        run(
            "b0:stage6/dw",
            "b0:pool",
            "--operations=fused-forward,backward",
            "--warm",
            "--threads=1",
            "--batch=1",
            "--rounds=1",
            "--json=" + file),
        err.toString());
    String name = "b0:stage6/dw/fused-forward/batch1/f32/warm";
    assertTrue(out.toString().contains("\n" + name + " "), out.toString());
    List<Map<String, String>> results = ResultFile.check(file);
    assertEquals(
        List.of("time libtorch", "bandwidth memcpy", "throughput measured peak", "largest error"),
        results.stream()
            .filter(r -> r.get("case").equals(name))
            .map(r -> r.get("metric") + (r.containsKey("peer") ? " " + r.get("peer") : ""))
            .toList());
    assertEquals(
        List.of(
            "device/copy",
            "device/product/f32",
            "b0:stage6/dw/backward-data/batch1/f32/warm",
            "b0:stage6/dw/backward-weights/batch1/f32/warm",
            name,
            "b0:pool/backward/batch1/f32/warm"),
        results.stream().map(r -> r.get("case")).distinct().toList());
    String command = ResultFile.read(file).get(0).get("command");
    assertTrue(command.contains("b0:stage6/dw b0:pool --operations=fused-forward"), command);
  }

  @Test
  void listsTheLayersThatPatternsMean() {
    assertEquals(0, run("b4:stage3*/dw", "--list"));
    assertEquals(
        List.of(
            "name,layer,height,width,in,out,kernel,stride,layers",
            "b4:stage3.0/dw,dw,48,48,336,336,3,2,1",
            "b4:stage3/dw,dw,24,24,672,672,3,1,5"),
        out.toString().lines().toList());
  }

  @Test
  void refusesWhatDoesNotFit() {
    assertEquals(2, run("b5"));
    assertEquals(2, run("--operations", "sideways"));
    assertEquals(2, run("--batch", "0"));
    assertEquals(2, run("--dtype", "i32"));
    assertEquals(2, run("--device", "tpu"));
    assertEquals(2, run("--clock", "sun"));
    assertEquals(2, run("--peer", "onnxruntime"));
    assertEquals(2, run("--peer", "none,libtorch"));
    assertEquals(2, run("--peer-modes", "lazy"));
    assertEquals(2, run("--peer-timeout", "0"));
    assertEquals(2, run("--peer-script", "no/such.py"));
    assertEquals(2, run("--rounds", "0"));
    assertEquals(2, run("--threads", "0"));
    for (String part :
        new String[] {
          "'b5'; there are b0, b4, b7",
          "'sideways'; there are forward, ",
          "--batch is 0",
          "--dtype is 'i32'; f32, bf16, f16 fit",
          "No device \"tpu\"; there are: cpu",
          "--clock is 'sun'; events and wall fit",
          "--peer is 'onnxruntime'; libtorch, pytorch, none fit",
          "--peer none fits alone",
          "--peer-modes is 'lazy'; eager, compile, graph fit",
          "--peer-timeout is 0",
          "there is no file no/such.py",
          "--rounds is 0",
          "--threads is 0"
        }) {
      assertTrue(err.toString().contains(part), part + " in " + err);
    }
    assertTrue(Files.notExists(folder.resolve("ops.json")));
  }

  @Test
  @Tag("oracle")
  void saysWhenNoLayerHasTheOperation() {
    assertEquals(2, run("b0:pool", "--operations=inference", "--rounds=1"));
    assertTrue(err.toString().contains("none of these layers has"), err.toString());
  }
}
