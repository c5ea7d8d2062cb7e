// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.ops.Device;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A run whose device is lost ends with its last checkpoint's path, and another goes on from it. */
final class LostDeviceTest {
  private static final int EPOCHS = 3;

  /** Three steps of 8 for each epoch's 24 images. */
  private static final int STEPS_PER_EPOCH = 3;

  @TempDir private Path folder;

  /** The command's words for how steps run, where the library loses devices on purpose. */
  static List<String> graphs() {
    boolean injects =
        Device.all().stream().anyMatch(device -> device.kind() == Device.Kind.CHECKED);
    return injects ? List.of("off", "on") : List.of();
  }

  private String train(Map<String, String> environment, Path run, int code) throws Exception {
    Path data = TinyImages.write(folder.resolve("data"));
    Process process = CommandProcess.train(environment, data, EPOCHS, run);
    String text = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(process.waitFor(1, TimeUnit.MINUTES), text);
    assertEquals(code, process.exitValue(), text);
    assertFalse(text.contains("Exception") || text.contains("\tat "), text);
    return text;
  }

  @ParameterizedTest(allowZeroInvocations = true)
  @MethodSource("graphs")
  @Timeout(value = 5, unit = TimeUnit.MINUTES)
  void endsWithTheCheckpointsPath(String graphs) throws Exception {
    Path run = folder.resolve("run");
    String options = "-Dfusewire.graphs=" + graphs;
    String text =
        train(Map.of("FUSEWIRE_FAULT", "0:optimizer step:5", "JDK_JAVA_OPTIONS", options), run, 1);
    Path checkpoint = run.resolve("checkpoint.safetensors");
    assertTrue(text.contains("a fault was injected; it happened in"), text);
    assertTrue(text.contains(graphs.equals("on") ? "graph training step" : "optimizer step"), text);
    assertTrue(text.contains("The last checkpoint, of step 3, is " + checkpoint), text);
    assertTrue(text.contains("train --resume " + run), text);
    assertTrue(Files.isRegularFile(checkpoint), text);

    CommandRun resumed = CommandRun.of("train", "--resume", run, "--json");
    assertEquals(0, resumed.code(), resumed.err());
    assertEquals((long) STEPS_PER_EPOCH * EPOCHS, resumed.json().get("steps"));
  }

  @ParameterizedTest(allowZeroInvocations = true)
  @MethodSource("graphs")
  @Timeout(value = 5, unit = TimeUnit.MINUTES)
  void saysSoWhenThereIsNoCheckpoint(String graphs) throws Exception {
    Path run = folder.resolve("early");
    String text =
        train(
            Map.of(
                "FUSEWIRE_FAULT",
                "0:fused conv forward:1",
                "FUSEWIRE_LAUNCH_BLOCKING",
                graphs.equals("on") ? "0" : "1"),
            run,
            1);
    assertTrue(text.contains("No checkpoint had been written yet"), text);
    assertFalse(text.contains("--resume"), text);
    assertEquals(
        graphs.equals("off"), text.contains("fused conv forward: a fault was injected"), text);
    assertFalse(Files.exists(run.resolve("checkpoint.safetensors")));
  }
}
