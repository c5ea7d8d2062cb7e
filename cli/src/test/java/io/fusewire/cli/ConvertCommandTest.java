// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.model.EfficientNet;
import io.fusewire.model.Interpolation;
import io.fusewire.model.Padding;
import io.fusewire.model.Preprocessing;
import io.fusewire.train.ModelFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command convert. */
final class ConvertCommandTest {
  @TempDir private Path folder;

  private Path own;
  private ModelFile model;

  @BeforeEach
  void writeAModel() throws IOException {
    var builder = EfficientNet.byName("b0");
    builder.classes(2);
    builder.padding(Padding.SYMMETRIC);
    builder.batchNorm(1e-5, 0.1);
    var network = builder.build();
    Preprocessing photographs =
        Preprocessing.ofPhotographs(
            224,
            Interpolation.BICUBIC,
            0.875,
            List.of(0.4f, 0.5f, 0.6f),
            List.of(0.2f, 0.3f, 0.4f));
    model =
        new ModelFile(
            network,
            List.of("cat", "dog"),
            photographs,
            network.parameters().initialValues(1),
            Map.of());
    own = folder.resolve("own.safetensors");
    model.write(own);
  }

  @Test
  void thereAndBack() throws IOException {
    Path there = folder.resolve("torchvision.safetensors");
    CommandRun run = CommandRun.of("convert", own, there, "--to", "torchvision");
    assertEquals(0, run.code(), run.err());
    assertTrue(run.out().contains("of torchvision's efficientnet_b0"), run.out());
    assertTrue(run.out().contains("torchvision.models.efficientnet_b0(num_classes=2)"), run.out());
    Path back = folder.resolve("back.safetensors");
    run = CommandRun.of("convert", there, back, "--json");
    assertEquals(0, run.code(), run.err());
    assertEquals("torchvision", run.json().get("from"));
    assertEquals("fusewire", run.json().get("to"));
    assertEquals(2L, run.json().get("classes"));
    ModelFile read = ModelFile.read(back);
    assertArrayEquals(model.weights(), read.weights());
    assertEquals(List.of("cat", "dog"), read.classNames());
    assertEquals(model.preprocessing(), read.preprocessing());
  }

  @Test
  void classesCanBeOthers() throws IOException {
    Path names = Files.writeString(folder.resolve("names.txt"), "ant\nbee\n\nwasp\n");
    Path three = folder.resolve("three.safetensors");
    CommandRun run = CommandRun.of("convert", own, three, "--classes", "3", "--class-names", names);
    assertEquals(0, run.code(), run.err());
    assertTrue(run.out().contains("2 classes, not 3"), run.out());
    assertEquals(List.of("ant", "bee", "wasp"), ModelFile.read(three).classNames());
    run = CommandRun.of("convert", own, three, "--class-names", names, "--overwrite");
    assertEquals(1, run.code());
    assertTrue(run.err().contains("names 3 classes; the network has 2"), run.err());
  }

  @Test
  void nothingIsLost() throws IOException {
    Path there = Files.writeString(folder.resolve("precious"), "precious");
    CommandRun run = CommandRun.of("convert", own, there);
    assertEquals(1, run.code());
    assertTrue(run.err().contains("--overwrite"), run.err());
    assertEquals("precious", Files.readString(there));
    assertEquals(2, CommandRun.of("convert", own, own, "--overwrite").code());
    run = CommandRun.of("convert", own, folder, "--overwrite");
    assertEquals(2, run.code());
    assertTrue(run.err().contains("OUT is the folder " + folder), run.err());
    Path torch = folder.resolve("own.pth");
    run = CommandRun.of("convert", own, torch);
    assertEquals(2, run.code());
    assertTrue(run.err().contains("*.safetensors"), run.err());
    assertFalse(Files.exists(torch));
    assertEquals(0, CommandRun.of("convert", own, there, "--overwrite").code());
    assertArrayEquals(model.weights(), ModelFile.read(there).weights());
  }

  @Test
  void whatCannotBeExpressedIsRefused() throws IOException {
    ModelFile same =
        new ModelFile(
            EfficientNet.byName("b0").classes(2).build(),
            model.classNames(),
            model.preprocessing(),
            model.weights(),
            Map.of());
    same.write(own);
    Path there = folder.resolve("torchvision.safetensors");
    CommandRun run = CommandRun.of("convert", own, there, "--to", "torchvision");
    assertEquals(1, run.code());
    assertTrue(run.err().contains("torchvision would compute other numbers"), run.err());
    assertTrue(run.err().contains("--force"), run.err());
    assertFalse(run.err().contains("bug"), run.err());
    assertFalse(Files.exists(there));
    run = CommandRun.of("convert", own, there, "--to", "torchvision", "--force");
    assertEquals(0, run.code(), run.err());
  }
}
