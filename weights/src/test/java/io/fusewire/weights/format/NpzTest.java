// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import static io.fusewire.weights.format.Samples.assertCounted;
import static io.fusewire.weights.format.Samples.assertRefused;
import static io.fusewire.weights.format.Samples.assertTensor;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fusewire.io.ElementType;
import io.fusewire.io.TensorFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** NumPy's archives, as NumPy wrote them and damaged. */
class NpzTest {
  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"numpy.npz", "numpy-compressed.npz"})
  void readsEveryArray(String name) throws IOException {
    try (TensorFile file = Samples.open(name)) {
      assertEquals(10, file.tensors().size());
      assertTensor(file, "conv/kernel", ElementType.F32, 2, 2, 3, 4);
      assertTensor(file, "fortran", ElementType.F32, 2, 3, 4);
      assertTensor(file, "big", ElementType.F32, 2, 3);
      assertTensor(file, "half", ElementType.F16, 2, 3);
      assertTensor(file, "double", ElementType.F64, 2, 3);
      assertTensor(file, "empty", ElementType.F32, 0, 3);
      assertCounted(file, "long", ElementType.I64, -3, 1, 2, 3);
      assertCounted(file, "unsigned", ElementType.U16, 0, 1, 4);
      assertArrayEquals(new float[] {1, 0}, file.readFloats("flag"));
      assertArrayEquals(new float[] {2.5f}, file.readFloats("scalar"));
    }
  }

  @Test
  void refusesOtherElements() {
    assertRefused(Samples.path("numpy-objects.npz"), "'objects'", "'|O'", "f4");
    assertRefused(Samples.path("numpy-complex.npz"), "'complex'", "'<c8'");
  }

  @Test
  void refusesShapesThatDoNotFit() throws IOException {
    assertRefused(array("<f4", "(3,)", 8), "needs 12 bytes and has 8");
    assertRefused(array("<f4", "(4611686018427387904, 4)", 8), "impossible shape");
    assertRefused(array("<f4", "(99999999999999999999,)", 8), "the shape");
    assertRefused(array("<f4", "(-1,)", 8), "the header");
    assertRefused(array("<f4", "(1,) + __import__('os')", 8), "the header");
  }

  @Test
  void refusesWhatIsNoArray() throws IOException {
    assertRefused(zip("x.npy", "hello, this is text".getBytes(StandardCharsets.UTF_8)), "no NumPy");
    assertRefused(zip("x.txt", new byte[20]), "without weights", "safetensors");
    byte[] long1 = "\u0093NUMPY\2\0\u00ff\u00ff\u00ff\u00ff".getBytes(StandardCharsets.ISO_8859_1);
    assertRefused(zip("x.npy", long1), "header of 4294967295 bytes");
  }

  /** The same archive under each suffix of those formats that are zip archives. */
  @ParameterizedTest
  @ValueSource(strings = {"x.npy", "archive/data.pkl", "archive/data/0", "model.weights.h5"})
  void refusesEntriesThatSayTheyInflateToMoreThanTheyCan(String entry) throws IOException {
    byte[] bytes = Files.readAllBytes(zip(entry, new byte[5000]));
    // The size in the central directory, four bytes before the name's length.
    int directory = new String(bytes, StandardCharsets.ISO_8859_1).indexOf("PK\1\2");
    bytes[directory + 27] = 0x7f;
    for (String name : List.of("bomb.npz", "bomb.pth", "bomb.keras")) {
      assertRefused(Files.write(folder.resolve(name), bytes), "'" + entry + "'", "cannot be");
    }
  }

  /** Inflating goes on only as long as the directory says, which the ratio above bounds. */
  @ParameterizedTest
  @ValueSource(strings = {"x.npy", "archive/data.pkl", "model.weights.h5"})
  void refusesEntriesThatInflateToMoreThanTheySay(String entry) throws IOException {
    byte[] bytes = Files.readAllBytes(zip(entry, new byte[100_000_000]));
    int directory = new String(bytes, StandardCharsets.ISO_8859_1).lastIndexOf("PK\1\2");
    // 16 bytes, it says.
    bytes[directory + 24] = 16;
    bytes[directory + 25] = 0;
    bytes[directory + 26] = 0;
    bytes[directory + 27] = 0;
    for (String name : List.of("bomb.npz", "bomb.pth", "bomb.keras")) {
      assertRefused(Files.write(folder.resolve(name), bytes));
    }
  }

  private Path array(String type, String shape, int dataBytes) throws IOException {
    String header =
        "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n".formatted(type, shape);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes("\u0093NUMPY\1\0".getBytes(StandardCharsets.ISO_8859_1));
    bytes.write(header.length());
    bytes.write(0);
    bytes.writeBytes(header.getBytes(StandardCharsets.ISO_8859_1));
    bytes.writeBytes(new byte[dataBytes]);
    return zip("x.npy", bytes.toByteArray());
  }

  private Path zip(String name, byte[] content) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      zip.putNextEntry(new ZipEntry(name));
      zip.write(content);
    }
    return Files.write(folder.resolve("weights.npz"), bytes.toByteArray());
  }
}
