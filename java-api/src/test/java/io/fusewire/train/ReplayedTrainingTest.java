// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.graph.Replay;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Training by graph, with batches that travel on a stream of their own, leaves the bits of training
 * operation by operation: with dropout, drop-connect, augmentation, schedules and loss scaling,
 * nothing that changes from step to step is read while a graph is captured.
 */
class ReplayedTrainingTest {
  @TempDir Path directory;

  @BeforeEach
  void writeData() throws IOException {
    Files.createDirectories(directory.resolve("data"));
    Stripes.write(directory.resolve("data"), 96, 36);
  }

  static List<Arguments> cases() {
    List<Arguments> cases = new ArrayList<>();
    for (Device device : Device.all()) {
      if (device.kind() != Device.Kind.CHECKED) {
        cases.add(Arguments.of(device, OptimizerKind.RMSPROP, DType.F32));
        cases.add(Arguments.of(device, OptimizerKind.SGD, DType.BF16));
        cases.add(Arguments.of(device, OptimizerKind.ADAMW, DType.F16));
      }
    }
    return cases;
  }

  private TrainConfig config(String out) {
    return new TrainConfig()
        .data(directory.resolve("data").toString())
        .resolution(16)
        .batch(16)
        .epochs(2)
        .samples(2)
        .dropConnect(0.3)
        .out(directory.resolve(out));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void leavesTheSameBits(Device device, OptimizerKind optimizer, DType dtype) throws IOException {
    List<Long> allocations = new ArrayList<>();
    ProgressListener listener =
        new ProgressListener() {
          @Override
          public void stepped(Step step) {
            allocations.add(device.allocationsMade());
          }
        };
    List<TrainResult> results = new ArrayList<>();
    for (Replay.Mode mode : Replay.Mode.values()) {
      for (boolean overlapped : new boolean[] {false, true}) {
        TrainConfig config =
            config("run" + results.size()).device(device.name()).optimizer(optimizer).dtype(dtype);
        allocations.clear();
        results.add(new Trainer(config, listener).run(mode, overlapped));
        assertEquals(12, allocations.size());
        // An evaluation between the epochs does allocate: what it needs to fold its weights.
        for (List<Long> epoch : List.of(allocations.subList(0, 6), allocations.subList(6, 12))) {
          assertEquals(
              1, epoch.stream().distinct().count(), () -> "allocated while stepping: " + epoch);
        }
      }
    }
    TrainResult eager = results.get(0);
    assertTrue(eager.epochs().get(1).trainLoss() > 0);
    for (TrainResult result : results) {
      assertArrayEquals(
          Files.readAllBytes(eager.model()),
          Files.readAllBytes(result.model()),
          () -> result.toString());
      for (int e = 0; e < 2; e++) {
        assertEquals(eager.epochs().get(e).trainLoss(), result.epochs().get(e).trainLoss());
        assertEquals(
            eager.epochs().get(e).evaluationLoss(), result.epochs().get(e).evaluationLoss());
      }
      assertEquals(eager.skippedSteps(), result.skippedSteps());
    }
  }
}
