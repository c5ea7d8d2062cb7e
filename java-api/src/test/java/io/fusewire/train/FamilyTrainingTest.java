// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.model.Architecture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The trainer on a model of every family. */
class FamilyTrainingTest {
  @TempDir private Path directory;

  @ParameterizedTest
  @ValueSource(strings = {"lite0", "v2_b0", "resnet18", "xresnet18"})
  void lossFallsAndTheModelIsReadBack(String name) throws IOException {
    Path data = directory.resolve("data");
    Files.createDirectories(data);
    Stripes.write(data, 96, 36);
    Path out = directory.resolve(name);
    List<Double> losses = new ArrayList<>();
    TrainConfig config =
        new TrainConfig()
            .model(name)
            .data(data.toString())
            .device("cpu")
            .resolution(32)
            .batch(12)
            .epochs(3)
            .samples(2)
            .optimizer(OptimizerKind.ADAMW)
            .learningRate(0.001)
            .dropout(0)
            .jitter(0)
            .flip(false)
            .out(out);
    new Trainer(
            config,
            new ProgressListener() {
              @Override
              public void epochEnded(EpochMetrics metrics) {
                losses.add(metrics.trainLoss());
              }
            })
        .run();
    assertTrue(losses.get(2) < losses.get(0), () -> name + ": " + losses);
    Architecture again = ModelFile.read(out.resolve("model.safetensors")).network();
    assertEquals(name, again.name());
    assertEquals(Architecture.byName(name).build().padding(), again.padding());
    assertEquals(
        Architecture.byName(name)
            .classes(again.classes())
            .inputChannels(1)
            .build()
            .parameters()
            .all(),
        again.parameters().all());
  }
}
