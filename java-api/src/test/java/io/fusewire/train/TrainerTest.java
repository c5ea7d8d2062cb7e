// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.data.IdxFile;
import io.fusewire.data.Split;
import io.fusewire.graph.ExpansionPolicy;
import io.fusewire.io.FileFormatException;
import io.fusewire.io.SafeTensors;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.FusewireException;
import io.fusewire.ops.Stream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class TrainerTest {
  @TempDir Path directory;

  static List<Device> devices() {
    return Device.all().stream().filter(d -> d.kind() != Device.Kind.CHECKED).toList();
  }

  @BeforeEach
  void writeData() throws IOException {
    Files.createDirectories(data());
    Stripes.write(data(), 96, 36);
  }

  private Path data() {
    return directory.resolve("data");
  }

  private TrainConfig config(String out) {
    return new TrainConfig()
        .data(data().toString())
        .resolution(16)
        .batch(16)
        .epochs(2)
        .samples(2)
        .device("cpu")
        .threads(1)
        .out(directory.resolve(out));
  }

  private static TrainResult train(TrainConfig config) throws IOException {
    return new Trainer(config, ProgressListener.NONE).run();
  }

  /** Trains until a number of steps is made. */
  private static TrainResult trainUntil(TrainConfig config, long steps) throws IOException {
    AtomicReference<Trainer> trainer = new AtomicReference<>();
    trainer.set(
        new Trainer(
            config,
            new ProgressListener() {
              @Override
              public void stepped(Step step) {
                if (step.step() == steps) {
                  trainer.get().stop();
                }
              }
            }));
    return trainer.get().run();
  }

  private static void assertSameTensors(Path expected, Path actual) throws IOException {
    try (SafeTensors one = SafeTensors.open(expected);
        SafeTensors two = SafeTensors.open(actual)) {
      assertEquals(one.entries().keySet(), two.entries().keySet());
      for (String name : one.entries().keySet()) {
        assertEquals(one.map(name), two.map(name), name);
      }
      assertEquals(one.metadata().get("loss_scale"), two.metadata().get("loss_scale"));
      assertEquals(
          one.metadata().get("position.epoch_sums"), two.metadata().get("position.epoch_sums"));
    }
  }

  @ParameterizedTest
  @MethodSource("devices")
  void learnsAndLeavesItsFiles(Device device) throws IOException {
    List<String> seen = new ArrayList<>();
    List<String> messages = new ArrayList<>();
    TrainConfig config =
        config("run")
            .device(device.name())
            .resolution(32)
            .batch(12)
            .epochs(8)
            .optimizer(OptimizerKind.ADAMW)
            .learningRate(0.002)
            .dropout(0)
            .jitter(0)
            .flip(false);
    TrainResult result =
        new Trainer(
                config,
                new ProgressListener() {
                  @Override
                  public void message(String line) {
                    messages.add(line);
                  }

                  @Override
                  public void started(Start start) {
                    seen.add("started " + start.stepsPerEpoch() + " " + start.classes());
                    assertTrue(start.totalBytes() > start.arenaBytes() && start.arenaBytes() > 0);
                  }

                  @Override
                  public void epochEnded(EpochMetrics metrics) {
                    seen.add("epoch " + metrics.epoch());
                  }

                  @Override
                  public void finished(TrainResult end) {
                    seen.add("finished");
                  }
                })
            .run();
    assertEquals("started 8 4", seen.get(0));
    assertEquals("epoch 8", seen.get(8));
    assertEquals("finished", seen.get(9));
    assertFalse(result.stopped());
    assertEquals(64, result.steps());
    assertEquals(8, result.epochs().size());
    assertTrue(
        result.epochs().get(7).trainLoss() < 0.8 * result.epochs().get(0).trainLoss(),
        () -> result.epochs().toString());
    assertTrue(result.testAccuracy() > 0.6, () -> result.epochs().toString());
    assertEquals(result.epochs().get(7).evaluationAccuracy(), result.testAccuracy());
    List<String> rows = Files.readAllLines(result.metrics());
    assertEquals(8 + 8 * 8 + 1, rows.size(), "header, every step of so few, epochs");
    if (result.curve() == null) {
      assertTrue(messages.get(0).startsWith("no curve.png: this host lacks fonts"), "and said");
    } else {
      assertTrue(ImageIO.read(result.curve().toFile()).getWidth() > 1000);
    }

    // The model alone predicts what the evaluation measured, which stores what it expands.
    try (Predictor predictor =
        Predictor.open(result.model(), device, DType.F32, 5, ExpansionPolicy.STORED)) {
      assertEquals(List.of("0", "1", "2", "3"), predictor.model().classNames());
      IdxFile test = IdxFile.read(data().resolve("t10k-images-idx3-ubyte"));
      List<byte[]> images =
          IntStream.range(0, 36)
              .mapToObj(n -> Arrays.copyOfRange(test.data(), n * 256, (n + 1) * 256))
              .toList();
      var predictions = predictor.predictPixels(images, 2);
      long right =
          IntStream.range(0, 36)
              .filter(n -> predictions.get(n).get(0).classIndex() == n % 4)
              .count();
      assertEquals(result.testAccuracy(), right / 36.0, 1e-9);
      assertEquals(2, predictions.get(0).size());
      assertTrue(
          predictions.get(0).get(0).probability() >= predictions.get(0).get(1).probability());
    }
  }

  @ParameterizedTest
  @EnumSource(OptimizerKind.class)
  void resumesBitForBit(OptimizerKind optimizer) throws IOException {
    TrainConfig straight = config("straight").optimizer(optimizer).dropConnect(0.3);
    TrainResult whole = train(straight);
    // In the middle of the first epoch, at its very end, and in the second.
    for (long at : new long[] {3, 6, 8}) {
      TrainConfig first = config("parts" + at).optimizer(optimizer).dropConnect(0.3);
      TrainResult part = trainUntil(first, at);
      assertTrue(part.stopped());
      assertEquals(at, part.steps());
      TrainResult rest = train(new TrainConfig().device("cpu").resume(part.directory()));
      assertFalse(rest.stopped());
      assertEquals(part.directory().toAbsolutePath(), rest.directory().toAbsolutePath());
      assertSameTensors(whole.checkpoint(), rest.checkpoint());
      assertArrayEquals(
          Files.readAllBytes(whole.model()), Files.readAllBytes(rest.model()), "at " + at);
      for (int e = 0; e < 2; e++) {
        assertEquals(whole.epochs().get(e).evaluationLoss(), rest.epochs().get(e).evaluationLoss());
        assertEquals(whole.epochs().get(e).trainLoss(), rest.epochs().get(e).trainLoss(), 1e-12);
      }
    }
  }

  @Test
  void lossScalingResumesToo() throws IOException {
    TrainResult whole = train(config("straight").dtype(DType.F16));
    TrainResult part = trainUntil(config("part").dtype(DType.F16), 5);
    TrainResult rest = train(new TrainConfig().resume(part.checkpoint()).device("cpu"));
    assertSameTensors(whole.checkpoint(), rest.checkpoint());
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "BF16"})
  void anyNumberOfThreadsGivesTheSameBits(DType dtype) throws IOException {
    byte[] first = null;
    for (int threads : new int[] {1, 2, 5}) {
      TrainResult result =
          train(config("threads" + threads).threads(threads).dtype(dtype).epochs(1));
      byte[] model = Files.readAllBytes(result.model());
      if (first == null) {
        first = model;
      }
      assertArrayEquals(first, model, threads + " threads");
    }
  }

  @Test
  void aCheckpointOfAnotherRunIsRefusedAndKept() throws IOException {
    TrainResult part = trainUntil(config("part"), 2);
    byte[] before = Files.readAllBytes(part.checkpoint());
    String message =
        assertThrows(
                FileFormatException.class,
                () -> train(config("part").batch(8).seed(9).resume(part.checkpoint())))
            .getMessage();
    assertTrue(message.contains("batch is 16 in the checkpoint, 8 was asked for"), message);
    assertTrue(message.contains("seed is 1 in the checkpoint, 9"), message);

    Stripes.write(data(), 80, 36);
    message =
        assertThrows(
                FileFormatException.class,
                () -> train(new TrainConfig().resume(part.directory()).device("cpu")))
            .getMessage();
    assertTrue(message.contains("96 training images; there are 80"), message);
    assertArrayEquals(before, Files.readAllBytes(part.checkpoint()));
  }

  @Test
  void aDamagedCheckpointIsRefusedAndKept() throws IOException {
    TrainResult part = trainUntil(config("part"), 2);
    byte[] whole = Files.readAllBytes(part.checkpoint());
    for (int length : new int[] {0, 7, 100, 5000, whole.length / 2, whole.length - 1}) {
      byte[] cut = Arrays.copyOf(whole, length);
      Files.write(part.checkpoint(), cut);
      assertThrows(
          FileFormatException.class,
          () -> train(new TrainConfig().resume(part.directory()).device("cpu")));
      assertArrayEquals(cut, Files.readAllBytes(part.checkpoint()));
    }
    String text = new String(whole, StandardCharsets.ISO_8859_1);
    for (String[] change :
        new String[][] {
          {"state_1.conv_stem.weight", "state_1.conv_stem.weighx"},
          {"\"position.row_sums\"", "\"position.raw_sums\""},
          {"\"option.batch\"", "\"option.bitch\""},
          {"fusewire-checkpoint-1", "fusewire-checkpoint-2"},
          {"\"step\":\"2\"", "\"step\":\"x\""},
        }) {
      assertTrue(text.contains(change[0]), change[0]);
      Files.write(
          part.checkpoint(),
          text.replace(change[0], change[1]).getBytes(StandardCharsets.ISO_8859_1));
      String message =
          assertThrows(
                  FileFormatException.class,
                  () -> train(new TrainConfig().resume(part.directory()).device("cpu")))
              .getMessage();
      assertTrue(message.contains("checkpoint.safetensors"), message);
    }
    assertThrows(
        IOException.class, () -> train(new TrainConfig().resume(directory.resolve("nowhere"))));
  }

  private static RunPlan plan(TrainConfig config) throws IOException {
    StartingPoint start = StartingPoint.of(config.choices, null, null);
    TrainChoices before = RunPlan.beforeData(config.choices, start);
    Split split = Split.open(before.data, RunPlan.framing(16, start), message -> {});
    return RunPlan.of(before, start, split);
  }

  @Test
  void tooLittleMemoryIsToldWithThePlansNumbers() throws IOException {
    try (Stream stream = Stream.open(Device.cpu())) {
      RunPlan plan = plan(config("x").batch(64));
      long available = MemoryCheck.estimate(stream, plan, 40).totalBytes();
      MemoryCheck.check(stream, plan, MemoryCheck.estimate(stream, plan, 64).totalBytes());
      String message =
          assertThrows(FusewireException.class, () -> MemoryCheck.check(stream, plan, available))
              .getMessage();
      assertTrue(message.contains("batch 64"), message);
      assertTrue(message.contains("the largest batch that fits is 40"), message);
      message =
          assertThrows(FusewireException.class, () -> MemoryCheck.check(stream, plan, 1000))
              .getMessage();
      assertTrue(message.contains("no batch fits"), message);
    }
  }

  @Test
  void optionsThatDoNotFitAreRefusedBeforeAnythingIsWritten() {
    List<TrainConfig> wrong =
        List.of(
            config("run").classes(3),
            config("run").batch(97),
            config("run").batch(1),
            config("run").model("b9"),
            config("run").device("gpu:7"),
            config("run").dtype(DType.I32),
            config("run").momentum(1),
            config("run").samples(1000),
            config("run").trainLimit(10));
    for (TrainConfig each : wrong) {
      String message = assertThrows(IllegalArgumentException.class, () -> train(each)).getMessage();
      assertTrue(message.length() > 10, message);
    }
    assertFalse(Files.exists(directory.resolve("run")));
    assertThrows(IllegalArgumentException.class, () -> new TrainConfig().epochs(-1));
    assertThrows(IllegalArgumentException.class, () -> new TrainConfig().learningRate(Double.NaN));
  }

  @Test
  void aLimitTakesTheSameOfEveryClass() throws IOException {
    RunPlan plan = plan(config("x").trainLimit(20));
    int[] perClass = new int[4];
    for (int image : plan.order(3)) {
      perClass[plan.split.train().label(image)]++;
    }
    assertArrayEquals(new int[] {5, 5, 5, 5}, perClass);
    assertArrayEquals(plan.order(3), plan.order(3));
    assertFalse(Arrays.equals(plan.order(3), plan.order(4)));
  }
}
