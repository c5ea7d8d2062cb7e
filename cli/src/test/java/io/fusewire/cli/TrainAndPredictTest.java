// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A whole run on a few small images, and what can be done with what it leaves. */
final class TrainAndPredictTest {
  @TempDir private static Path folder;
  private static Path data;
  private static Path run;
  private static CommandRun trained;

  @BeforeAll
  static void train() throws IOException {
    data = TinyImages.write(folder.resolve("data"));
    run = folder.resolve("run");
    trained =
        CommandRun.of(
            "train",
            "--data",
            data,
            "--resolution",
            TinyImages.SIDE,
            "--batch",
            8,
            "--epochs",
            2,
            "--samples",
            2,
            "--device",
            "cpu",
            "--out",
            run,
            "--json");
  }

  @Test
  void trainingEndsWithOneJsonObject() throws IOException {
    assertEquals(0, trained.code(), trained.err());
    Map<String, Object> result = trained.json();
    double accuracy = (double) result.get("test_accuracy");
    assertTrue(accuracy >= 0 && accuracy <= 1, trained.lastLine());
    assertTrue((double) result.get("train_seconds") > 0, trained.lastLine());
    assertTrue((double) result.get("images_per_second") > 0, trained.lastLine());
    assertEquals(run.toString(), result.get("run"));
    assertEquals(false, result.get("stopped"));
  }

  @Test
  void trainingNamesTheFilesItLeaves() {
    for (String file : List.of("model.safetensors", "metrics.csv", "curve.png")) {
      Path path = run.resolve(file);
      assertTrue(Files.isRegularFile(path), path.toString());
      assertTrue(trained.out().contains(path.toString()), trained.out());
    }
    assertTrue(trained.out().contains("test accuracy"), trained.out());
  }

  @Test
  void progressGoesToStderr() {
    assertTrue(trained.err().contains("epoch 1:"), trained.err());
    assertTrue(trained.err().contains("epoch 2:"), trained.err());
    assertFalse(trained.out().contains("epoch 1:"), trained.out());
  }

  @Test
  void infoKnowsTheModel() throws IOException {
    CommandRun info = CommandRun.of("info", run, "--json");
    assertEquals(0, info.code(), info.err());
    assertEquals(2L, info.json().get("classes"));
    assertEquals((long) TinyImages.SIDE, info.json().get("resolution"));
    assertTrue(info.lastLine().contains("\"class_names\":[\""), info.lastLine());
    assertTrue(info.lastLine().contains("\"preprocessing\":{\"height\":"), info.lastLine());
    String text = CommandRun.of("info", run).out();
    assertTrue(text.contains("\nimages            shorter side "), text);
    assertTrue(text.contains("\nclasses           "), text);
  }

  @Test
  void predictNamesClassesAndProbabilities() throws IOException {
    Path image = data.resolve("val/red/0.png");
    CommandRun predicted = CommandRun.of("predict", run.resolve("model.safetensors"), image);
    assertEquals(0, predicted.code(), predicted.err());
    List<String> lines = predicted.out().lines().toList();
    assertEquals(image.toString(), lines.get(0));
    assertEquals(3, lines.size(), predicted.out());
    assertTrue(predicted.out().contains("red") && predicted.out().contains("blue"));
    double sum = 0;
    for (String line : lines.subList(1, lines.size())) {
      sum += Double.parseDouble(line.strip().split(" ", 2)[0]);
    }
    assertEquals(100, sum, 0.02);
  }

  @Test
  void predictTakesARunsFolderAndManyImages() throws IOException {
    CommandRun predicted =
        CommandRun.of(
            "predict",
            "--json",
            "--top",
            1,
            run,
            data.resolve("val/red/0.png"),
            data.resolve("val/blue/0.png"));
    assertEquals(0, predicted.code(), predicted.err());
    assertEquals(2, predicted.out().lines().count());
    for (String line : predicted.out().lines().toList()) {
      assertTrue(CommandRun.fields(line).get("image").toString().endsWith("0.png"), line);
      assertTrue(line.contains("\"probability\":"), line);
    }
  }

  @Test
  void anUnusableImageIsNamedAndTheOthersAreNot() throws IOException {
    Path broken = Files.writeString(folder.resolve("broken.jpg"), "no image");
    Path missing = folder.resolve("missing.png");
    Path good = data.resolve("val/blue/1.png");
    CommandRun predicted = CommandRun.of("predict", run, broken, good, missing);
    assertEquals(1, predicted.code());
    assertTrue(predicted.err().contains("broken.jpg"), predicted.err());
    assertTrue(predicted.err().contains("missing.png"), predicted.err());
    assertFalse(predicted.err().contains("\tat "), predicted.err());
    assertTrue(predicted.out().startsWith(good.toString()), predicted.out());
  }

  @Test
  void aFileThatIsNoModelIsRefused() throws IOException {
    Path file = Files.writeString(folder.resolve("text.safetensors"), "hello there, this is text");
    CommandRun predicted = CommandRun.of("predict", file, data.resolve("val/red/0.png"));
    assertEquals(1, predicted.code());
    assertTrue(predicted.err().contains("text.safetensors"), predicted.err());
    assertEquals(1, predicted.err().lines().count(), predicted.err());
  }

  @Test
  void dataThatIsNotThereIsNamed() {
    Path missing = folder.resolve("no-data");
    CommandRun refused = CommandRun.of("train", "--data", missing, "--out", folder.resolve("none"));
    assertEquals(1, refused.code());
    assertTrue(refused.err().contains(missing.toString()), refused.err());
    assertFalse(Files.exists(folder.resolve("none/model.safetensors")));
  }

  @Test
  void aCheckpointOfAnotherNetworkIsRefusedAndLeftAlone() throws IOException {
    Path checkpoint = run.resolve("checkpoint.safetensors");
    byte[] before = Files.readAllBytes(checkpoint);
    CommandRun refused =
        CommandRun.of(
            "train",
            "--data",
            data,
            "--model",
            "b1",
            "--resolution",
            TinyImages.SIDE,
            "--batch",
            8,
            "--epochs",
            3,
            "--device",
            "cpu",
            "--resume",
            run);
    assertEquals(1, refused.code(), refused.err());
    assertTrue(refused.err().contains("b1"), refused.err());
    assertArrayEquals(before, Files.readAllBytes(checkpoint));
  }
}
