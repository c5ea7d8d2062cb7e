// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.io.SafeTensors;
import io.fusewire.io.SafeTensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model of some colours becomes one of others. */
final class FineTuneTest {
  @TempDir private static Path folder;
  private static Path colours;
  private static Path first;
  private static Path timm;

  @BeforeAll
  static void train() throws IOException {
    Path data = TinyImages.write(folder.resolve("two"));
    colours =
        TinyImages.write(
            folder.resolve("three"),
            Map.of("green", 0x20c020, "violet", 0xc020c0, "yellow", 0xc0c020));
    first = folder.resolve("first");
    CommandRun run = run(first, data, "--samples", 2);
    assertEquals(0, run.code(), run.err());
    timm =
        timmFile(first.resolve("model.safetensors"), folder.resolve("efficientnet_b0.safetensors"));
  }

  private static CommandRun run(Path out, Object... arguments) {
    List<Object> all = new ArrayList<>(List.of("train"));
    all.addAll(List.of(arguments));
    all.addAll(List.of("--resolution", TinyImages.SIDE, "--batch", 8, "--epochs", 2));
    all.addAll(List.of("--device", "cpu", "--out", out));
    return CommandRun.of(all.toArray());
  }

  /** The tensors alone, as timm's users have them. */
  private static Path timmFile(Path model, Path file) throws IOException {
    SafeTensorsWriter writer = new SafeTensorsWriter();
    try (SafeTensors tensors = SafeTensors.open(model)) {
      for (Map.Entry<String, SafeTensors.Entry> entry : tensors.entries().entrySet()) {
        if (!entry.getKey().endsWith("num_batches_tracked")) {
          List<Integer> shape = entry.getValue().shape().stream().map(Math::toIntExact).toList();
          writer.add(entry.getKey(), shape, tensors.readFloats(entry.getKey()));
        }
      }
    }
    writer.write(file);
    return file;
  }

  private static void assertPredictsColours(Path model) {
    CommandRun predicted = CommandRun.of("predict", model, colours.resolve("val/green/0.png"));
    assertEquals(0, predicted.code(), predicted.err());
    for (String name : List.of("green", "violet", "yellow")) {
      assertTrue(predicted.out().contains(name), predicted.out());
    }
  }

  @Test
  void frozenFeaturesGetNewClasses() {
    Path out = folder.resolve("frozen");
    CommandRun run =
        run(out, colours, "--init", first, "--freeze", "features", "--classes", 3, "--json");
    assertEquals(0, run.code(), run.err());
    assertTrue(run.err().contains("all but the classifier: it has 2 classes"), run.err());
    assertTrue(run.err().contains("features are frozen"), run.err());
    assertTrue(run.err().contains("3,843 parameters to train"), run.err());
    assertPredictsColours(out);
  }

  @Test
  void weightsAreTrainedFurther() {
    Path out = folder.resolve("further");
    CommandRun run =
        run(out, colours, "--init", first.resolve("model.safetensors"), "--layer-decay", 0.7);
    assertEquals(0, run.code(), run.err());
    assertFalse(run.err().contains("frozen"), run.err());
    assertPredictsColours(out);
  }

  @Test
  void timmsFilesWillDo() {
    Path out = folder.resolve("timm");
    CommandRun run = run(out, colours, "--init", timm, "--freeze", "features");
    assertEquals(0, run.code(), run.err());
    assertTrue(run.err().contains("timm"), run.err());
    assertPredictsColours(out);
    CommandRun info = CommandRun.of("info", out);
    assertTrue(info.out().contains("SYMMETRIC"), info.out());
    CommandRun predicted = CommandRun.of("predict", timm, colours.resolve("val/green/0.png"));
    assertEquals(0, predicted.code(), predicted.err());
    assertTrue(predicted.out().contains("class 1"), predicted.out());
  }

  @Test
  void weightsThatDoNotFitAreRefusedWithTheirKeys() throws IOException {
    Path out = folder.resolve("misfit");
    CommandRun run = run(out, colours, "--init", first, "--model", "b1");
    assertEquals(1, run.code(), run.err());
    assertTrue(run.err().contains("missing: blocks.0.1.conv_dw.weight"), run.err());
    assertTrue(run.err().contains("nothing was loaded"), run.err());
    assertFalse(Files.exists(out));

    Path other = folder.resolve("other.safetensors");
    new SafeTensorsWriter().add("encoder.weight", List.of(2), new float[2]).write(other);
    run = run(out, colours, "--init", other);
    assertEquals(1, run.code(), run.err());
    assertTrue(run.err().contains(other.toString()), run.err());
    assertTrue(run.err().contains("encoder.weight"), run.err());
  }

  @Test
  void anotherRunsFilesStay() throws IOException {
    byte[] model = Files.readAllBytes(first.resolve("model.safetensors"));
    CommandRun run = run(first, colours, "--init", first);
    assertEquals(1, run.code(), run.err());
    assertEquals(1, run.err().lines().count(), run.err());
    assertTrue(run.err().contains("choose another folder"), run.err());
    assertArrayEquals(model, Files.readAllBytes(first.resolve("model.safetensors")));
    Path file = Files.writeString(folder.resolve("a-file"), "precious");
    run = run(file, colours);
    assertEquals(1, run.code(), run.err());
    assertTrue(run.err().contains("is a file"), run.err());
    assertEquals("precious", Files.readString(file));
  }

  @Test
  void aCheckpointIsNotTakenForAModel() {
    Path checkpoint = first.resolve("checkpoint.safetensors");
    for (CommandRun run :
        List.of(
            run(folder.resolve("none"), colours, "--init", checkpoint),
            CommandRun.of("convert", checkpoint, folder.resolve("none.safetensors")),
            CommandRun.of("info", checkpoint),
            CommandRun.of("predict", checkpoint, colours.resolve("val/green/0.png")))) {
      assertEquals(1, run.code(), run.out());
      assertTrue(run.err().contains("is a run's checkpoint"), run.err());
      assertTrue(run.err().contains("model.safetensors"), run.err());
    }
  }

  @Test
  void aFolderIsNoImage() {
    CommandRun run = CommandRun.of("predict", first, colours);
    assertEquals(1, run.code());
    assertTrue(run.err().contains(colours + ": is a folder"), run.err());
  }

  @Test
  void whatDoesNotGoTogetherIsWrongUsage() {
    Path out = folder.resolve("wrong");
    assertEquals(2, run(out, colours, "--freeze", "head").code());
    assertEquals(2, run(out, colours, "--data", colours).code());
    assertEquals(2, run(out, colours, "--as", "timm").code());
    assertEquals(2, run(out, colours, "--init", first, "--as", "nobody").code());
    assertEquals(2, run(out, colours, "--layer-decay", 2).code());
    CommandRun run = run(out, colours, "--freeze", "features");
    assertEquals(1, run.code());
    assertTrue(run.err().contains("--init"), run.err());
  }
}
