// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.data.Pictures;
import io.fusewire.graph.Replay;
import io.fusewire.io.FileFormatException;
import io.fusewire.io.SafeTensors;
import io.fusewire.model.Interpolation;
import io.fusewire.model.Padding;
import io.fusewire.model.Parameter;
import io.fusewire.model.Preprocessing;
import io.fusewire.ops.DType;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Training from the weights of another run. */
final class FineTuningTest {
  @TempDir private static Path directory;
  private static Path data;
  private static TrainResult first;

  private final List<String> messages = new ArrayList<>();

  @BeforeAll
  static void trainFirst() throws IOException {
    data = Files.createDirectories(directory.resolve("data"));
    Stripes.write(data, 96, 36);
    first =
        new Trainer(config("first").optimizer(OptimizerKind.ADAMW), ProgressListener.NONE).run();
  }

  private static TrainConfig config(String out) {
    return new TrainConfig()
        .data(data.toString())
        .resolution(16)
        .batch(16)
        .epochs(1)
        .samples(2)
        .device("cpu")
        .threads(1)
        .out(directory.resolve(out));
  }

  private static TrainConfig fineTuning(String out) {
    return config(out).init(first.model());
  }

  private TrainResult train(TrainConfig config) throws IOException {
    return new Trainer(config, listener()).run();
  }

  private ProgressListener listener() {
    return new ProgressListener() {
      @Override
      public void message(String line) {
        messages.add(line);
      }
    };
  }

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

  private static float[] values(ModelFile model, String name) {
    Parameter parameter = model.network().parameters().get(name);
    int from = (int) parameter.offset();
    return Arrays.copyOfRange(model.weights(), from, from + (int) parameter.count());
  }

  private boolean said(String text) {
    return messages.stream().anyMatch(m -> m.contains(text));
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "F16"})
  void frozenFeaturesKeepTheirBits(DType dtype) throws IOException {
    TrainResult result =
        train(fineTuning("frozen" + dtype).dtype(dtype).freeze(Freeze.FEATURES).classes(6));
    assertTrue(said("all but the classifier: it has 4 classes, 6 are needed"), messages.toString());
    assertTrue(said("features are frozen: 7,686 of "), messages.toString());
    ModelFile before = ModelFile.read(first.model());
    ModelFile after = ModelFile.read(result.model());
    assertEquals(6, after.network().classes());
    assertEquals(List.of("0", "1", "2", "3", "class 4", "class 5"), after.classNames());
    assertEquals(first.model().toString(), after.metadata().get("initial_weights"));
    for (Parameter parameter : before.network().parameters().all()) {
      if (!parameter.kind().ofClassifier()) {
        assertArrayEquals(
            values(before, parameter.name()), values(after, parameter.name()), parameter.name());
      }
    }
    float[] bias = values(after, "classifier.bias");
    assertTrue(bias[0] != 0 && Float.isFinite(bias[0]), "the classifier has learned");
    assertTrue(
        Files.size(result.checkpoint()) * 2 < Files.size(first.checkpoint()),
        "no states of what is frozen");
  }

  @Test
  void frozenTrainingResumesBitForBit() throws IOException {
    OptimizerKind optimizer = OptimizerKind.ADAMW;
    String name = "resumed";
    TrainResult whole =
        train(fineTuning(name).optimizer(optimizer).freeze(Freeze.FEATURES).epochs(2));
    TrainResult part =
        trainUntil(
            fineTuning(name + "-part").optimizer(optimizer).freeze(Freeze.FEATURES).epochs(2), 7);
    // The file need not be there any more.
    TrainResult rest = train(new TrainConfig().device("cpu").resume(part.directory()));
    assertArrayEquals(Files.readAllBytes(whole.model()), Files.readAllBytes(rest.model()));
    String message =
        assertThrows(
                FileFormatException.class,
                () ->
                    train(
                        new TrainConfig()
                            .device("cpu")
                            .freeze(Freeze.NONE)
                            .init(directory.resolve("other"))
                            .resume(part.directory())))
            .getMessage();
    assertTrue(message.contains("freeze is FEATURES in the checkpoint, NONE was asked"), message);
    assertTrue(message.contains("init is " + first.model() + " in the checkpoint"), message);
  }

  @Test
  void replayedAndOverlappedFrozenStepsHaveTheSameBits() throws IOException {
    byte[] eager =
        Files.readAllBytes(
            new Trainer(fineTuning("eager").freeze(Freeze.FEATURES), listener())
                .run(Replay.Mode.EAGER, false)
                .model());
    byte[] replayed =
        Files.readAllBytes(
            new Trainer(fineTuning("replayed").freeze(Freeze.FEATURES), listener())
                .run(Replay.Mode.GRAPH, true)
                .model());
    assertArrayEquals(eager, replayed);
  }

  @Test
  void theSameClassesKeepTheirClassifier() throws IOException {
    TrainResult result = train(fineTuning("same").learningRate(1e-9).emaDecay(0));
    assertTrue(said("classifier included"), messages.toString());
    float[] before = values(ModelFile.read(first.model()), "classifier.weight");
    float[] after = values(ModelFile.read(result.model()), "classifier.weight");
    for (int i = 0; i < before.length; i++) {
      assertEquals(before[i], after[i], 1e-6);
    }
  }

  /** A file without classifier that happens to be read for as many classes as there are. */
  @Test
  void aClassifierThatWasNeverTrainedIsNotTaken() throws IOException {
    ModelFile headless = ModelFile.read(first.model()).withInitialClassifier();
    TrainResult result = train(config("headless").init("headless", headless));
    assertTrue(said("all but the classifier: it has none that was trained"), messages.toString());
    assertFalse(ModelFile.classifierIsInitial(ModelFile.read(result.model()).metadata()));
  }

  @Test
  void everyGroupMovesByItsShare() throws IOException {
    ModelFile plain = ModelFile.read(train(oneStep("step")).model());
    ModelFile half = ModelFile.read(train(oneStep("half").featureRate(0.5)).model());
    ModelFile decayed = ModelFile.read(train(oneStep("decayed").layerDecay(0.5)).model());
    assertMoved(plain, half, "classifier.weight", 1);
    assertMoved(plain, half, "conv_head.weight", 0.5);
    assertMoved(plain, half, "conv_stem.weight", 0.5);
    assertMoved(plain, decayed, "classifier.weight", 1);
    assertMoved(plain, decayed, "conv_head.weight", 1);
    assertMoved(plain, decayed, "blocks.6.0.conv_pw.weight", 0.5);
    assertMoved(plain, decayed, "blocks.5.1.conv_dw.weight", 0.25);
  }

  /** One step of plain gradient descent. */
  private static TrainConfig oneStep(String out) {
    return fineTuning("groups-" + out)
        .optimizer(OptimizerKind.SGD)
        .schedule(Schedule.CONSTANT)
        .warmUpEpochs(0)
        .learningRate(0.5)
        .momentum(0)
        .weightDecay(0)
        .emaDecay(0)
        .dropout(0)
        .trainLimit(16);
  }

  private static void assertMoved(ModelFile plain, ModelFile other, String name, double share)
      throws IOException {
    float[] start = values(ModelFile.read(first.model()), name);
    float[] one = values(plain, name);
    float[] two = values(other, name);
    double dot = 0;
    double squares = 0;
    for (int i = 0; i < start.length; i++) {
      double step = (double) one[i] - start[i];
      dot += step * ((double) two[i] - start[i]);
      squares += step * step;
    }
    assertTrue(squares > 0, name + " moves");
    assertEquals(share, dot / squares, 1e-3, name);
  }

  @Test
  void weightsOfAnotherModelAreRefusedWithTheKeys() {
    String message =
        assertThrows(
                IllegalArgumentException.class, () -> train(fineTuning("b1").model("b1").epochs(1)))
            .getMessage();
    assertTrue(message.contains(first.model().toString()), message);
    assertTrue(message.contains("nothing was loaded"), message);
    assertTrue(message.contains("missing: blocks.0.1.conv_dw.weight"), message);
    assertFalse(message.contains("unexpected"), message);
    assertFalse(Files.exists(directory.resolve("b1")));

    message =
        assertThrows(IllegalArgumentException.class, () -> train(fineTuning("b2").model("b2")))
            .getMessage();
    assertTrue(message.contains("of another shape: "), message);
  }

  @Test
  void imagesOfOtherChannelsAreRefusedWithTheKey() throws IOException {
    Path pictures = directory.resolve("colour");
    Pictures.folder(pictures, 4);
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () -> train(fineTuning("colours").data(pictures.toString()).batch(4)))
            .getMessage();
    assertTrue(message.contains("conv_stem.weight is [32, 1, 3, 3], not [32, 3, 3, 3]"), message);
  }

  /** What the weights were trained with is kept unless something else is asked for. */
  @Test
  void theFileDecidesWhatNobodyElseDoes() throws IOException {
    Path pictures = directory.resolve("pictures");
    Pictures.folder(pictures, 4);
    TrainConfig like = config("like").data(pictures.toString()).batch(4).padding(Padding.SYMMETRIC);
    ModelFile model = ModelFile.read(train(like.model("b0").resolution(24)).model());
    Preprocessing how =
        Preprocessing.ofPhotographs(
            24, Interpolation.BICUBIC, 0.75, List.of(0.5f, 0.4f, 0.3f), List.of(0.2f, 0.3f, 0.4f));
    ModelFile foreign =
        new ModelFile(
            model.network().toBuilder().name("mine").batchNorm(1e-5, 0.1).build(),
            List.of("cats", "dogs"),
            how,
            model.weights(),
            Map.of());
    TrainConfig config =
        new TrainConfig()
            .data(pictures.toString())
            .init("cats.safetensors", foreign)
            .batch(4)
            .epochs(2)
            .device("cpu")
            .out(directory.resolve("foreign"));
    TrainResult part = trainUntil(config, 1);
    TrainResult result = train(new TrainConfig().device("cpu").resume(part.directory()));
    ModelFile tuned = ModelFile.read(result.model());
    assertEquals("mine", tuned.network().name());
    assertEquals(24, tuned.network().resolution());
    assertEquals(Padding.SYMMETRIC, tuned.network().padding());
    assertEquals(1e-5, tuned.network().batchNormEpsilon());
    assertEquals(how, tuned.preprocessing());
    assertEquals(List.of("blue", "red"), tuned.classNames());

    train(config.out(directory.resolve("other-names")));
    assertTrue(said("its 2 classes have other names"), messages.toString());
    train(config.resolution(32).padding(Padding.SAME).out(directory.resolve("asked")));
    tuned = ModelFile.read(directory.resolve("asked/model.safetensors"));
    assertEquals(32, tuned.preprocessing().height());
    assertEquals(42, tuned.preprocessing().shorterSide());
    assertEquals(Padding.SAME, tuned.network().padding());
  }

  @Test
  void whatMakesNoSenseIsRefused() {
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () -> train(config("random").freeze(Freeze.FEATURES)))
            .getMessage();
    assertTrue(message.contains("need initial weights"), message);
    message =
        assertThrows(
                IllegalArgumentException.class,
                () -> train(fineTuning("both").freeze(Freeze.FEATURES).layerDecay(0.5)))
            .getMessage();
    assertTrue(message.contains("frozen features have no learning rate"), message);
    assertThrows(IllegalArgumentException.class, () -> config("x").layerDecay(0));
    assertThrows(IllegalArgumentException.class, () -> config("x").featureRate(1.5));
    assertThrows(IOException.class, () -> train(config("x").init(directory.resolve("nothing"))));
  }

  /** Checkpoints from before there were initial weights go on as they were meant. */
  @Test
  void aCheckpointWithoutTheseOptionsResumes() throws IOException {
    TrainResult part = trainUntil(config("old"), 2);
    String text = new String(Files.readAllBytes(part.checkpoint()), StandardCharsets.ISO_8859_1);
    for (String option : List.of("init", "freeze", "layerDecay", "featureRate")) {
      assertTrue(text.contains("\"option." + option + "\""), option);
      text = text.replace("\"option." + option + "\"", "\"0ption." + option + "\"");
    }
    text = text.replace("\"network.", "\"netw0rk.");
    Files.write(part.checkpoint(), text.getBytes(StandardCharsets.ISO_8859_1));
    TrainResult rest = train(new TrainConfig().device("cpu").resume(part.directory()));
    TrainResult whole = train(config("new"));
    try (SafeTensors one = SafeTensors.open(whole.model());
        SafeTensors two = SafeTensors.open(rest.model())) {
      for (String name : one.entries().keySet()) {
        assertEquals(one.map(name), two.map(name), name);
      }
    }
  }
}
