// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/** Damages files: bytes, numbers, lengths, and where a format has checksums, with these mended. */
final class Mutations {
  private static final long[] NUMBERS = {
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    16,
    127,
    128,
    255,
    256,
    1023,
    32767,
    32768,
    65535,
    65536,
    1 << 20,
    Integer.MAX_VALUE,
    0x80000000L,
    0xFFFFFFFFL,
    1L << 40,
    Long.MAX_VALUE,
    Long.MIN_VALUE,
    -1,
    -8
  };

  private Mutations() {}

  /** One to eight changes of a file's bytes; the other file lends pieces. */
  static byte[] bytes(Random random, byte[] file, byte[] other) {
    byte[] result = file.clone();
    int changes = 1 + random.nextInt(1 << random.nextInt(4));
    for (int i = 0; i < changes && result.length > 0; i++) {
      result = change(random, result, other);
    }
    return result;
  }

  private static byte[] change(Random random, byte[] file, byte[] other) {
    int at = random.nextInt(file.length);
    switch (random.nextInt(12)) {
      case 0, 1 -> file[at] ^= (byte) (1 << random.nextInt(8));
      case 2, 3 -> file[at] = (byte) random.nextInt(256);
      case 4, 5 -> file[at] += (byte) (random.nextInt(9) - 4);
      case 6, 7 -> number(random, file, at);
      case 8 -> {
        int from = random.nextInt(file.length);
        int count = Math.min(random.nextInt(64), file.length - Math.max(at, from));
        System.arraycopy(file, from, file, at, count);
      }
      case 9 -> {
        int from = random.nextInt(other.length);
        return insert(
            file,
            at,
            Arrays.copyOfRange(other, from, Math.min(other.length, from + random.nextInt(64))));
      }
      case 10 -> {
        int end = Math.min(file.length, at + 1 + random.nextInt(32));
        byte[] result = Arrays.copyOf(file, file.length - (end - at));
        System.arraycopy(file, end, result, at, file.length - end);
        return result;
      }
      default -> {
        if (random.nextInt(4) == 0) {
          return Arrays.copyOf(file, at);
        }
        byte[] repeated = new byte[1 << random.nextInt(12)];
        Arrays.fill(repeated, file[at]);
        return insert(file, at, repeated);
      }
    }
    return file;
  }

  private static void number(Random random, byte[] file, int at) {
    int bytes = 1 << random.nextInt(4);
    if (at + bytes <= file.length) {
      ByteOrder order = random.nextInt(4) == 0 ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
      long value = NUMBERS[random.nextInt(NUMBERS.length)];
      byte[] all = ByteBuffer.allocate(8).order(order).putLong(value).array();
      System.arraycopy(all, order == ByteOrder.BIG_ENDIAN ? 8 - bytes : 0, file, at, bytes);
    }
  }

  private static byte[] insert(byte[] file, int at, byte[] piece) {
    byte[] result = Arrays.copyOf(file, file.length + piece.length);
    System.arraycopy(piece, 0, result, at, piece.length);
    System.arraycopy(file, at, result, at + piece.length, file.length - at);
    return result;
  }

  /** The entries of an archive. */
  static Map<String, byte[]> entries(Path archive) throws IOException {
    Map<String, byte[]> entries = new LinkedHashMap<>();
    try (ZipFile zip = new ZipFile(archive.toFile())) {
      for (ZipEntry entry : Collections.list(zip.entries())) {
        entries.put(entry.getName(), zip.getInputStream(entry).readAllBytes());
      }
    }
    return entries;
  }

  /** An archive with one of its entries changed, stored or compressed, and whole as an archive. */
  static byte[] zip(Random random, Map<String, byte[]> archive) {
    try {
      Map<String, byte[]> entries = new LinkedHashMap<>(archive);
      List<String> names = new ArrayList<>(entries.keySet());
      // The first entry is what describes the others more often than not.
      String chosen = names.get(random.nextBoolean() ? 0 : random.nextInt(names.size()));
      byte[] content = entries.get(chosen);
      byte[] other = entries.get(names.get(random.nextInt(names.size())));
      entries.put(chosen, bytes(random, content, other.length == 0 ? new byte[64] : other));
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      boolean stored = random.nextBoolean();
      try (ZipOutputStream out = new ZipOutputStream(bytes)) {
        for (Map.Entry<String, byte[]> entry : entries.entrySet()) {
          ZipEntry header = new ZipEntry(entry.getKey());
          if (stored) {
            CRC32 sum = new CRC32();
            sum.update(entry.getValue());
            header.setMethod(ZipEntry.STORED);
            header.setSize(entry.getValue().length);
            header.setCrc(sum.getValue());
          }
          out.putNextEntry(header);
          out.write(entry.getValue());
        }
      }
      return bytes.toByteArray();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A sorted table with changes in its blocks and their checksums mended. */
  static byte[] table(Random random, byte[] table) {
    byte[] result = table.clone();
    int changes = 1 + random.nextInt(6);
    for (int i = 0; i < changes; i++) {
      int at = random.nextInt(result.length - 48);
      if (random.nextBoolean()) {
        result[at] += (byte) random.nextInt(256);
      } else {
        number(random, result, at);
      }
    }
    // Places of the index block's and the first data block's checksums, as in the whole file.
    ByteBuffer footer = ByteBuffer.wrap(table, table.length - 48, 48);
    varint(footer);
    varint(footer);
    int index = (int) varint(footer);
    int indexBytes = (int) varint(footer);
    mend(result, index, indexBytes);
    mend(result, 0, index - 13 - 5);
    return result;
  }

  private static long varint(ByteBuffer buffer) {
    long value = 0;
    for (int shift = 0; ; shift += 7) {
      byte b = buffer.get();
      value |= (b & 0x7FL) << shift;
      if (b >= 0) {
        return value;
      }
    }
  }

  private static void mend(byte[] file, int start, int length) {
    CRC32C sum = new CRC32C();
    file[start + length] = 0;
    sum.update(file, start, length + 1);
    ByteBuffer.wrap(file)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(start + length + 1, SortedTable.masked((int) sum.getValue()));
  }
}
