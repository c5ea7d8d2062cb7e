// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.bench.peer.ChildJvm;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The commands in a JVM that has none of the peers' jars, as in a bundle: they say so in one line
 * and do what they can.
 */
final class WithoutPeersTest {
  private static final Pattern PEERS =
      Pattern.compile("pytorch|openblas|onnxruntime|protobuf|jmh|jopt|commons-math");

  @TempDir private Path folder;

  /** What a run printed, both streams in one, and its exit code on a line of its own. */
  private String run(String... arguments) throws Exception {
    String classPath = ChildJvm.classPath(entry -> !PEERS.matcher(entry).find());
    List<String> command = new ArrayList<>();
    command.add(ChildJvm.java());
    for (String property : List.of("org.bytedeco.javacpp.cachedir", "java.library.path")) {
      if (System.getProperty(property) != null) {
        command.add("-D" + property + "=" + System.getProperty(property));
      }
    }
    command.addAll(List.of("-cp", classPath, Main.class.getName()));
    command.addAll(List.of(arguments));
    Path output = folder.resolve("output");
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    int exit = process.waitFor();
    return Files.readString(output) + "\nexit " + exit;
  }

  private String runModel(String... more) throws Exception {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "model",
                "--resolution=32",
                "--batch=2",
                "--infer-batch=1",
                "--rounds=1",
                "--threads=1"));
    arguments.addAll(List.of(more));
    return run(arguments.toArray(String[]::new));
  }

  @Test
  void operationsAreMeasuredAlone() throws Exception {
    String said =
        run(
            "ops",
            "b0:stem",
            "b0:stage1.0",
            "b0:pool",
            "b0:classifier",
            "--operations=all",
            "--batch=1",
            "--rounds=1",
            "--warm",
            "--threads=1",
            "--json=" + folder.resolve("ops.json"));
    assertTrue(said.endsWith("exit 0"), said);
    String absent = "bench: libtorch is absent: its jars are not on the class path";
    assertEquals(1, said.lines().filter(absent::equals).count(), said);
    assertTrue(said.contains("b0:stage1.0/dw/inference-expanded/batch1/f32/warm"), said);
    assertFalse(said.contains("Exception"), said);
    assertTrue(ResultFile.check(folder.resolve("ops.json")).size() > 100);
  }

  @Test
  void networksAreMeasuredAlone() throws Exception {
    String said = runModel();
    assertTrue(said.endsWith("exit 0"), said);
    assertTrue(said.contains("libtorch is absent"), said);
    assertTrue(said.contains("onnxruntime is absent"), said);
    assertTrue(said.contains("b0@32/train-step/batch2/f32"), said);
    assertFalse(said.contains("Exception"), said);
  }

  @Test
  void networksThatThePeersLackAreMeasuredAlone() throws Exception {
    String said = runModel("--model=resnet18");
    assertTrue(said.endsWith("exit 0"), said);
    assertTrue(said.contains("have b0 to b8 and l2 here, not ResNet-18"), said);
    assertTrue(said.contains("resnet18@32/train-step/batch2/f32"), said);
    String memory =
        run("memory", "--model=resnet18", "--resolution=32", "--batch=2", "--threads=1");
    assertTrue(memory.contains("MB resident at most") && memory.endsWith("exit 0"), memory);
  }

  @Test
  void whatNeedsAPeerSaysSo() throws Exception {
    String calls = run("calls", "MeanPool");
    assertTrue(calls.contains("JMH is absent: its jars are not on the class path"), calls);
    assertTrue(calls.endsWith("exit 1"), calls);
    assertFalse(calls.contains("Exception"), calls);
    String help = run("--help");
    assertTrue(help.contains("report") && help.endsWith("exit 0"), help);
    String memory = run("memory", "--resolution=32", "--batch=2", "--threads=1");
    assertTrue(memory.contains("MB resident at most") && memory.endsWith("exit 0"), memory);
  }
}
