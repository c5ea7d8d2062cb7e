// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A run in a process of its own is told to end, and another goes on from what it left. */
final class StopAndResumeTest {
  private static final int TERMINATED = 143;
  private static final int EPOCHS = 12;

  @TempDir private Path folder;

  @Test
  @Timeout(value = 5, unit = TimeUnit.MINUTES)
  void sigtermLeavesACheckpointThatResumes() throws Exception {
    Path data = TinyImages.write(folder.resolve("data"));
    Path run = folder.resolve("run");
    Process first = CommandProcess.train(Map.of(), data, EPOCHS, run);
    List<String> log = new ArrayList<>();
    try (BufferedReader lines =
        new BufferedReader(new InputStreamReader(first.getErrorStream(), StandardCharsets.UTF_8))) {
      boolean told = false;
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        log.add(line);
        if (!told && line.startsWith("epoch 2:")) {
          first.toHandle().destroy(); // SIGTERM; Process.destroy would close the streams too
          told = true;
        }
      }
    }
    String text = String.join("\n", log);
    assertTrue(first.waitFor(1, TimeUnit.MINUTES), text);
    assertEquals(TERMINATED, first.exitValue(), text);
    assertTrue(text.contains("train --resume " + run), text);
    assertTrue(Files.isRegularFile(run.resolve("checkpoint.safetensors")), text);
    long epochsBefore = log.stream().filter(line -> line.matches("epoch \\d+:.*")).count();
    assertTrue(epochsBefore < EPOCHS, text);

    CommandRun resumed = CommandRun.of("train", "--resume", run, "--json");
    assertEquals(0, resumed.code(), resumed.err());
    Map<String, Object> result = resumed.json();
    assertEquals(false, result.get("stopped"));
    assertEquals((long) EPOCHS, result.get("epochs"));
    assertEquals(run.toString(), result.get("run"));
    // Three steps of 8 for each epoch's 24 images.
    assertEquals(3L * EPOCHS, result.get("steps"));
  }
}
