// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.model.Interpolation;
import io.fusewire.model.Preprocessing;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageFolderTest {
  @TempDir Path directory;
  private final List<String> messages = new ArrayList<>();

  private Split open() throws IOException {
    return Split.open(directory.toString(), Framing.usual(24), messages::add);
  }

  private static Preprocessing colour(int resolution) {
    List<Float> ones = List.of(1f, 1f, 1f);
    return Preprocessing.ofPhotographs(resolution, Interpolation.BICUBIC, 0.875, ones, ones);
  }

  /** The whole of an image of 8 x 8 pixels. */
  private static Preprocessing whole(int channels) {
    List<Float> ones = Collections.nCopies(channels, 1f);
    return new Preprocessing(8, 8, 8, true, Interpolation.BILINEAR, 1, ones, ones);
  }

  @Test
  void readsJpegAndPngOfEveryClass() throws IOException {
    Pictures.folder(directory, 3);
    Split split = open();
    assertEquals(List.of("blue", "red"), split.train().classNames());
    assertEquals(6, split.train().size());
    assertEquals(List.of(), messages);
    byte[] pixels = new byte[24 * 24 * 3];
    for (int i = 0; i < 6; i++) {
      assertTrue(split.evaluation().read(i, 0, pixels, 0));
      double red = 0;
      double blue = 0;
      for (int p = 0; p < pixels.length; p += 3) {
        red += pixels[p] & 0xFF;
        blue += pixels[p + 2] & 0xFF;
      }
      assertEquals(split.evaluation().label(i) == 1, red > blue);
    }
  }

  @Test
  void aRandomWindowIsTheSameForTheSameNumber() throws IOException {
    Pictures.folder(directory, 1);
    Dataset train = open().train();
    byte[] one = new byte[24 * 24 * 3];
    byte[] two = new byte[24 * 24 * 3];
    train.read(0, 11, one, 0);
    train.read(0, 11, two, 0);
    assertArrayEquals(one, two);
    train.read(0, 12, two, 0);
    assertFalse(Arrays.equals(one, two));
  }

  @Test
  void badFilesAreNamedAndCountedAndLeftOut() throws IOException {
    Pictures.folder(directory, 2);
    Path red = directory.resolve("train/red");
    Files.write(red.resolve("empty.jpg"), new byte[0]);
    Files.writeString(red.resolve("text.jpg"), "this is no picture");
    Files.writeString(red.resolve("notes.txt"), "nor is this");
    Split split = open();
    assertEquals(4, split.train().size());
    assertEquals(3, split.skipped().count());
    String all = String.join("\n", messages);
    for (String name : List.of("empty.jpg: is empty", "text.jpg: is neither", "notes.txt")) {
      assertTrue(all.contains(name), all);
    }
  }

  @Test
  void truncatedPicturesAreFoundWhenTheyAreRead() throws IOException {
    Pictures.folder(directory, 1);
    for (String name : List.of("red/cut.JPEG", "blue/cut.png")) {
      Path file =
          Pictures.write(
              directory.resolve("train/" + name),
              name.endsWith("png") ? "png" : "jpg",
              60,
              60,
              0xFF0000);
      byte[] bytes = Files.readAllBytes(file);
      Files.write(file, Arrays.copyOf(bytes, bytes.length / 2));
    }
    Split split = open();
    assertEquals(4, split.train().size());
    byte[] pixels = new byte[24 * 24 * 3];
    int good = 0;
    for (int i = 0; i < 4; i++) {
      good += split.train().read(i, 0, pixels, 0) ? 1 : 0;
      split.train().read(i, 0, pixels, 0);
    }
    assertEquals(2, good);
    assertEquals(2, split.skipped().count(), "each is counted once: " + messages);
    assertTrue(String.join("", messages).contains("cut.JPEG"), messages.toString());
    assertTrue(String.join("", messages).contains("cut.png"), messages.toString());
  }

  @Test
  void aFolderWithoutUsableImagesIsRefused() throws IOException {
    Files.createDirectories(directory.resolve("train/a"));
    Files.createDirectories(directory.resolve("val/a"));
    Files.write(directory.resolve("train/a/x.png"), new byte[0]);
    assertTrue(
        assertThrows(IOException.class, this::open).getMessage().contains("no usable image"));
  }

  @Test
  void missingFoldersAndUnknownClassesAreNamed() throws IOException {
    assertTrue(assertThrows(IOException.class, this::open).getMessage().contains("train"));
    Pictures.folder(directory, 1);
    Pictures.write(directory.resolve("val/green/1.png"), "png", 9, 9, 0x00FF00);
    assertTrue(assertThrows(IOException.class, this::open).getMessage().contains("green"));
    String message =
        assertThrows(
                IOException.class,
                () ->
                    Split.open(
                        directory.resolve("nowhere").toString(), Framing.usual(24), messages::add))
            .getMessage();
    assertTrue(message.contains("nowhere") && message.contains("fashion-mnist"), message);
  }

  @Test
  void damagedPicturesAreReadOrRefusedButNothingElse() throws IOException {
    SplittableRandom random = new SplittableRandom(5);
    for (String format : List.of("png", "jpg")) {
      Path file = directory.resolve("x." + format);
      Pictures.write(file, format, 33, 21, 0x0000FF);
      byte[] bytes = Files.readAllBytes(file);
      for (int round = 0; round < 300; round++) {
        byte[] damaged = bytes.clone();
        for (int i = 0; i <= random.nextInt(5); i++) {
          damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(256);
        }
        Files.write(file, Arrays.copyOf(damaged, 1 + random.nextInt(damaged.length)));
        try {
          assertEquals(16 * 16 * 3, ImageFolder.readForPrediction(file, colour(16)).length);
        } catch (IOException expected) {
          assertTrue(expected.getMessage().contains(file.toString()), expected.getMessage());
        }
      }
    }
  }

  @Test
  void aPictureMayBeAsNarrowAsItLikes() throws IOException {
    Path file = Pictures.write(directory.resolve("line.png"), "png", 30000, 1, 0x336699);
    assertEquals(600 * 600 * 3, ImageFolder.readForPrediction(file, colour(600)).length);
  }

  @Test
  void greyIsTheLumaOfColours() throws IOException {
    Path file = directory.resolve("c.png");
    Pictures.write(file, "png", 8, 8, 0xC86432);
    byte[] grey = ImageFolder.readForPrediction(file, whole(1));
    byte[] colour = ImageFolder.readForPrediction(file, whole(3));
    int at = 0;
    while ((colour[3 * at] & 0xFF) != 200) {
      at++;
    }
    assertEquals((299 * 200 + 587 * 100 + 114 * 50 + 500) / 1000, grey[at] & 0xFF);
  }
}
