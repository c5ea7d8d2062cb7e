// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Help, exit codes and what wrong usage gets. */
final class UsageTest {
  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {"train", "predict", "convert", "info", "doctor", "test", "bench", "bundle"})
  void everyCommandHasHelp(String command) {
    CommandRun run = CommandRun.of(command, "--help");
    assertEquals(0, run.code());
    assertTrue(run.out().startsWith("Usage: fusewire " + command), run.out());
    assertTrue(run.out().contains("Exit codes:"), run.out());
    assertEquals("", run.err());
  }

  @Test
  void helpListsTheCommands() {
    CommandRun run = CommandRun.of("--help");
    assertEquals(0, run.code());
    for (String command :
        new String[] {"train", "predict", "convert", "info", "doctor", "test", "bench", "bundle"}) {
      assertTrue(run.out().contains("\n  " + command + " "), command + " in " + run.out());
    }
  }

  @Test
  void versionIsOneLine() {
    CommandRun run = CommandRun.of("--version");
    assertEquals(0, run.code());
    assertEquals(1, run.out().lines().count());
    assertTrue(run.out().startsWith("fusewire "));
  }

  static Stream<Arguments> wrongUsage() {
    return Stream.of(
        wrong("which command", new String[] {}),
        wrong("Did you mean", "trin"),
        wrong("MODEL", "predict"),
        wrong("there is no library", "predict", "m.safetensors", "a.png", "--as", "nobody"),
        wrong("IMAGE", "predict", "model.safetensors"),
        wrong("--top", "predict", "--top", "0", "model.safetensors", "a.png"),
        wrong("OUT", "convert", "weights.pth"),
        wrong("timm, torchvision", "convert", "weights.pth", "out", "--to", "keras"),
        wrong("timm, torchvision", "convert", "weights.pth", "out", "--to", "onnx"),
        wrong("--classes", "convert", "weights.pth", "out", "--classes", "0"),
        wrong("efficientnet_b0", "convert", "weights.pth", "out", "--as", "timm:b99"),
        wrong("b0, b1, b2", "info", "b9"),
        wrong("--batch", "info", "b0", "--batch", "many"),
        wrong("--batch", "info", "b0", "--batch", "0"),
        wrong("resolution", "info", "b0", "--resolution", "-3"),
        wrong("f32, bf16, f16", "info", "b0", "--dtype", "int8"),
        wrong("one-cycle, cosine", "train", "--schedule", "two-cycle"),
        wrong("sgd, rmsprop, adamw", "train", "--optimizer", "adagrad"),
        wrong("same, symmetric", "train", "--padding", "valid"),
        wrong("cpu", "train", "--device", "tpu"),
        wrong("--threads", "train", "--threads", "-1"),
        wrong("epochs", "train", "--epochs", "-1"),
        wrong("samples", "train", "--samples", "0"),
        wrong("--colour", "train", "--colour"));
  }

  private static Arguments wrong(String named, String... arguments) {
    return Arguments.of(named, arguments);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("wrongUsage")
  void wrongUsageIsNamedAndExitsWithTwo(String named, String[] arguments) {
    CommandRun run = CommandRun.of((Object[]) arguments);
    assertEquals(2, run.code(), run.err());
    assertTrue(run.err().contains(named), run.err());
    assertTrue(run.err().contains("--help"), run.err());
    assertFalse(run.err().contains("\tat "), run.err());
    assertEquals("", run.out());
  }

  @Test
  void failuresAreOneLineAndExitWithOne() {
    Path missing = folder.resolve("missing.safetensors");
    CommandRun run = CommandRun.of("info", missing);
    assertEquals(1, run.code());
    assertEquals(1, run.err().lines().count(), run.err());
    assertTrue(run.err().contains(missing.toString()), run.err());
  }

  @Test
  void stackTraceOnlyWhenAskedFor() {
    Path missing = folder.resolve("missing.safetensors");
    assertFalse(CommandRun.of("info", missing).err().contains("\tat "));
    assertTrue(CommandRun.of("--stacktrace", "info", missing).err().contains("\tat "));
    assertTrue(CommandRun.of("info", missing, "--stacktrace").err().contains("\tat "));
  }

  @Test
  void testAndBenchNameTheScript() {
    for (String command : new String[] {"test", "bench", "bundle"}) {
      CommandRun run = CommandRun.of(command, "--whatever");
      assertEquals(2, run.code());
      assertTrue(run.err().contains("./fusewire"), run.err());
    }
  }
}
