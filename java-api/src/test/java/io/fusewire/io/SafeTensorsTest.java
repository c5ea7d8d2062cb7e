// SPDX-License-Identifier: Apache-2.0
package io.fusewire.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SafeTensorsTest {
  @TempDir Path directory;

  private Path write(String header, byte... data) throws IOException {
    byte[] text = header.replace('\'', '"').getBytes(StandardCharsets.UTF_8);
    ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(text.length);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.write(length.array());
    bytes.write(text);
    bytes.write(data);
    return Files.write(directory.resolve("t.safetensors"), bytes.toByteArray());
  }

  @Test
  void readsWhatItWrites() throws IOException {
    Path file = directory.resolve("deep/er/x.safetensors");
    float[] values = {1, -2, Float.MIN_VALUE, Float.POSITIVE_INFINITY, 0, 3};
    new SafeTensorsWriter()
        .metadata("who", "Ünïcode \"quoted\"\n")
        .add("a", List.of(2, 3), values)
        .add("count", List.<Long>of(), new long[] {1L << 60})
        .add("empty", List.of(0, 4), new float[0])
        .write(file);
    try (SafeTensors read = SafeTensors.open(file)) {
      assertEquals("Ünïcode \"quoted\"\n", read.metadata().get("who"));
      assertArrayEquals(values, read.readFloats("a"));
      assertEquals(List.of(2L, 3L), read.entries().get("a").shape());
      assertEquals(1L << 60, read.map("count").getLong(0));
      assertEquals(0, read.readFloats("empty").length);
      assertThrows(FileFormatException.class, () -> read.readFloats("b"));
    }
    assertFalse(Files.exists(directory.resolve("deep/er/x.safetensors.writing")));
  }

  private float[] readOne(String type, int shape, byte... data) throws IOException {
    Path file =
        write(
            "{'t':{'dtype':'%s','shape':[%d],'data_offsets':[0,%d]}}"
                .formatted(type, shape, data.length),
            data);
    try (SafeTensors read = SafeTensors.open(file)) {
      return read.readFloats("t");
    }
  }

  @Test
  void widensEveryElementType() throws IOException {
    assertArrayEquals(
        new float[] {-2f, 0x1p-24f, Float.NEGATIVE_INFINITY},
        readOne("F16", 3, (byte) 0, (byte) 0xC0, (byte) 1, (byte) 0, (byte) 0, (byte) 0xFC));
    assertArrayEquals(
        new float[] {1.5f, -0f},
        readOne("BF16", 2, (byte) 0xC0, (byte) 0x3F, (byte) 0, (byte) 0x80));
    byte[] tenth = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putDouble(0.1).array();
    assertArrayEquals(new float[] {0.1f}, readOne("F64", 1, tenth));
    assertArrayEquals(new float[] {255}, readOne("U8", 1, (byte) -1));
    assertArrayEquals(new float[] {-1}, readOne("I8", 1, (byte) -1));
    assertArrayEquals(new float[] {65535}, readOne("U16", 1, (byte) -1, (byte) -1));
    assertArrayEquals(new float[] {-1}, readOne("I16", 1, (byte) -1, (byte) -1));
    byte[] ones = {-1, -1, -1, -1};
    assertArrayEquals(new float[] {-1}, readOne("I32", 1, ones));
    assertArrayEquals(new float[] {0x1p32f}, readOne("U32", 1, ones));
    assertArrayEquals(new float[] {1}, readOne("BOOL", 1, (byte) 1));
  }

  @Test
  void halvesWidenExactly() {
    assertEquals(65504f, ElementType.halfToFloat((short) 0x7BFF));
    assertEquals(0x1p-14f, ElementType.halfToFloat((short) 0x0400));
    assertEquals(1f, ElementType.halfToFloat((short) 0x3C00));
    assertTrue(Float.isNaN(ElementType.halfToFloat((short) 0x7E00)));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        // Overlapping, with a gap, with bytes left over, too long.
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},"
            + "'b':{'dtype':'F32','shape':[1],'data_offsets':[2,6]}}",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[4,8]}}",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}",
        "{'a':{'dtype':'F32','shape':[3],'data_offsets':[0,12]}}",
        // Impossible numbers.
        "{'a':{'dtype':'F32','shape':[-2],'data_offsets':[0,8]}}",
        "{'a':{'dtype':'F32','shape':[4611686018427387904,4],'data_offsets':[0,8]}}",
        "{'a':{'dtype':'F32','shape':[99999999999999999999],'data_offsets':[0,8]}}",
        "{'a':{'dtype':'F32','shape':[2.0],'data_offsets':[0,8]}}",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[8,0]}}",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0]}}",
        "{'a':{'dtype':'F32','shape':[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2],'data_offsets':[0,8]}}",
        // Unknown, missing or doubled fields.
        "{'a':{'dtype':'F31','shape':[2],'data_offsets':[0,8]}}",
        "{'a':{'dtype':'F32','shape':[2]}}",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8],'more':1}}",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]},"
            + "'a':{'dtype':'F32','shape':[0],'data_offsets':[8,8]}}",
        "{'a':[]}",
        "{'__metadata__':{'a':1}}",
        // Not JSON.
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}} x",
        "{'a':{'dtype':'F32','shape':[[[[[[[[2]]]]]]]],'data_offsets':[0,8]}}",
        "{ ",
        "[]",
        "nonsense"
      })
  void refusesImpossibleHeaders(String header) throws IOException {
    Path file = write(header, new byte[8]);
    String message =
        assertThrows(FileFormatException.class, () -> SafeTensors.open(file).close()).getMessage();
    assertTrue(message.contains(file.toString()), message);
  }

  @Test
  void refusesTruncatedFilesOfAnyLength() throws IOException {
    Path whole = directory.resolve("whole");
    new SafeTensorsWriter().add("a", List.of(5), new float[5]).write(whole);
    byte[] bytes = Files.readAllBytes(whole);
    for (int length = 0; length < bytes.length; length++) {
      Path cut = Files.write(directory.resolve("cut"), Arrays.copyOf(bytes, length));
      assertThrows(FileFormatException.class, () -> SafeTensors.open(cut).close());
    }
    Path longer = Files.write(directory.resolve("longer"), Arrays.copyOf(bytes, bytes.length + 1));
    assertThrows(FileFormatException.class, () -> SafeTensors.open(longer).close());
  }

  @Test
  void damagedFilesAreReadOrRefusedButNothingElse() throws IOException {
    Path whole = directory.resolve("whole");
    new SafeTensorsWriter()
        .metadata("format", "x")
        .add("a.weight", List.of(2, 3), new float[6])
        .add("b", List.<Long>of(), new long[1])
        .write(whole);
    byte[] bytes = Files.readAllBytes(whole);
    SplittableRandom random = new SplittableRandom(7);
    for (int round = 0; round < 4000; round++) {
      byte[] damaged = bytes.clone();
      for (int i = 0; i <= random.nextInt(4); i++) {
        damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(256);
      }
      if (random.nextInt(4) == 0) {
        damaged = Arrays.copyOf(damaged, random.nextInt(damaged.length + 20));
      }
      Path file = Files.write(directory.resolve("damaged"), damaged);
      try (SafeTensors read = SafeTensors.open(file)) {
        for (String name : read.entries().keySet()) {
          read.readFloats(name);
        }
      } catch (FileFormatException expected) {
        assertTrue(expected.getMessage().contains("damaged"), "round " + round);
      }
    }
  }

  @Test
  void aFailedWriteLeavesTheOldFile() throws IOException {
    Path file = directory.resolve("kept");
    Files.writeString(file, "old");
    assertThrows(
        IOException.class,
        () ->
            AtomicFile.replace(
                file,
                channel -> {
                  channel.write(ByteBuffer.wrap(new byte[100]));
                  throw new IOException("No space left on device");
                }));
    assertEquals("old", Files.readString(file));
    try (var left = Files.list(directory)) {
      assertEquals(List.of(file), left.toList());
    }
  }

  @Test
  void writerRefusesWhatDoesNotFit() {
    SafeTensorsWriter writer = new SafeTensorsWriter().add("a", List.of(1), new float[1]);
    assertThrows(
        IllegalArgumentException.class, () -> writer.add("b", List.of(2, 2), new float[3]));
    assertThrows(IllegalArgumentException.class, () -> writer.add("a", List.of(1), new float[1]));
  }
}
