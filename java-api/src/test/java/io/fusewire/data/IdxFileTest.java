// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.io.FileFormatException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IdxFileTest {
  @TempDir Path directory;

  private static byte[] gzip(byte[] plain) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(bytes)) {
      out.write(plain);
    }
    return bytes.toByteArray();
  }

  private Path sample() throws IOException {
    byte[] data = new byte[2 * 3 * 4];
    for (int i = 0; i < data.length; i++) {
      data[i] = (byte) (i * 11);
    }
    Path file = directory.resolve("sample");
    new IdxFile(new int[] {2, 3, 4}, data).write(file);
    return file;
  }

  @Test
  void readsPlainAndGzippedFiles() throws IOException {
    Path plain = sample();
    Path gzipped = Files.write(directory.resolve("x.gz"), gzip(Files.readAllBytes(plain)));
    for (Path file : List.of(plain, gzipped)) {
      IdxFile read = IdxFile.read(file);
      assertArrayEquals(new int[] {2, 3, 4}, read.shape());
      assertEquals(24, read.data().length);
      assertEquals((byte) 253, read.data()[23]);
    }
  }

  @Test
  void refusesTruncatedAndLongerFiles() throws IOException {
    byte[] bytes = Files.readAllBytes(sample());
    for (int length = 0; length <= bytes.length + 1; length++) {
      if (length != bytes.length) {
        Path file = Files.write(directory.resolve("cut"), Arrays.copyOf(bytes, length));
        assertThrows(FileFormatException.class, () -> IdxFile.read(file));
      }
    }
  }

  @Test
  void anAbsurdLengthAsksForNoMemory() throws IOException {
    byte[] header = {0, 0, 8, 3, 0x7F, -1, -1, -1, 0x7F, -1, -1, -1, 0, 0, 0, 1};
    Path file = Files.write(directory.resolve("huge"), header);
    assertTrue(
        assertThrows(FileFormatException.class, () -> IdxFile.read(file))
            .getMessage()
            .contains("absurd"));
    byte[] large = {0, 0, 8, 1, 0x7F, 0, 0, 0, 1, 2, 3};
    Path truncated = Files.write(directory.resolve("large"), large);
    assertTrue(
        assertThrows(FileFormatException.class, () -> IdxFile.read(truncated))
            .getMessage()
            .contains("truncated"));
  }

  @Test
  void damagedFilesAreReadOrRefusedButNothingElse() throws IOException {
    byte[] plain = Files.readAllBytes(sample());
    byte[] gzipped = gzip(plain);
    SplittableRandom random = new SplittableRandom(3);
    for (int round = 0; round < 4000; round++) {
      byte[] damaged = (round % 2 == 0 ? plain : gzipped).clone();
      for (int i = 0; i <= random.nextInt(3); i++) {
        damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(256);
      }
      Path file = Files.write(directory.resolve("damaged"), damaged);
      try {
        IdxFile read = IdxFile.read(file);
        assertTrue(read.data().length < 1000);
      } catch (FileFormatException expected) {
        assertTrue(expected.getMessage().contains("damaged"), "round " + round);
      }
    }
  }

  @Test
  void imagesAndLabelsMustBelongTogether() throws IOException {
    Path images = sample();
    Path labels = directory.resolve("labels");
    new IdxFile(new int[] {2}, new byte[] {1, 0}).write(labels);
    IdxDataset data = IdxDataset.read(images, labels, List.of());
    assertEquals(List.of("0", "1"), data.classNames());
    assertEquals(1, data.label(0));
    byte[] target = new byte[14];
    assertTrue(data.read(1, 0, target, 2));
    assertEquals((byte) (12 * 11), target[2]);

    new IdxFile(new int[] {3}, new byte[3]).write(labels);
    assertThrows(FileFormatException.class, () -> IdxDataset.read(images, labels, List.of()));
    new IdxFile(new int[] {2}, new byte[] {0, 9}).write(labels);
    assertThrows(
        FileFormatException.class, () -> IdxDataset.read(images, labels, List.of("a", "b")));
    assertThrows(FileFormatException.class, () -> IdxDataset.read(labels, labels, List.of()));
  }
}
