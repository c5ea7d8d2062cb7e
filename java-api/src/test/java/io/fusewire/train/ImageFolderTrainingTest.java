// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.data.Pictures;
import io.fusewire.io.FileFormatException;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageFolderTrainingTest {
  @TempDir Path directory;

  private TrainConfig config() {
    return new TrainConfig()
        .data(directory.resolve("data").toString())
        .resolution(32)
        .batch(4)
        .epochs(1)
        .device("cpu")
        .threads(1)
        .out(directory.resolve("run"));
  }

  private static void truncate(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(bytes, bytes.length / 2));
  }

  @Test
  void goesOnWithoutDamagedFiles() throws IOException {
    Path data = directory.resolve("data");
    Pictures.folder(data, 6);
    truncate(data.resolve("train/red/2.JPEG"));
    truncate(data.resolve("train/blue/4.png"));
    truncate(data.resolve("val/blue/0.png"));
    Files.write(data.resolve("train/blue/5.png"), new byte[0]);
    List<String> messages = new ArrayList<>();
    TrainResult result =
        new Trainer(
                // All that the empty file leaves: every one of them is read.
                config().batch(11),
                new ProgressListener() {
                  @Override
                  public void message(String line) {
                    messages.add(line);
                  }
                })
            .run();
    assertEquals(1, result.steps());
    assertEquals(4, result.skippedFiles(), messages.toString());
    assertTrue(messages.stream().anyMatch(m -> m.contains("2.JPEG")), messages.toString());
    assertEquals(4, messages.stream().filter(m -> m.startsWith("left out")).count());

    try (Predictor predictor = Predictor.open(result.model(), Device.cpu(), DType.F32, 2)) {
      List<List<Prediction>> predictions =
          predictor.predict(
              List.of(
                  data.resolve("val/red/1.JPEG"),
                  data.resolve("val/blue/1.png"),
                  data.resolve("val/blue/2.png")),
              5);
      assertEquals(3, predictions.size());
      assertEquals(2, predictions.get(0).size(), "no more than there are classes");
      assertEquals(1, predictions.get(0).stream().mapToDouble(Prediction::probability).sum(), 1e-5);
      assertThrows(
          IOException.class, () -> predictor.predict(List.of(data.resolve("val/blue/0.png")), 1));
      assertThrows(IllegalArgumentException.class, () -> predictor.predict(List.of(), 0));
    }
  }

  @Test
  void stopsWhenNoImageIsLeft() throws IOException {
    Path data = directory.resolve("data");
    Pictures.folder(data, 3);
    try (Stream<Path> files = Files.walk(data.resolve("train"))) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        truncate(file);
      }
    }
    String message =
        assertThrows(IOException.class, () -> new Trainer(config(), ProgressListener.NONE).run())
            .getMessage();
    assertTrue(message.contains("no training image could be used"), message);
  }

  @Test
  void aFileThatIsNoModelIsRefused() throws IOException {
    Path file = Files.writeString(directory.resolve("model.safetensors"), "something else");
    assertThrows(FileFormatException.class, () -> Predictor.open(file, Device.cpu(), DType.F32, 1));
  }
}
