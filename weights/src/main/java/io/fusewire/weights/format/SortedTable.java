// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.FileFormatException;
import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * A sorted table of keys and values in LevelDB's format
 * (https://github.com/google/leveldb/blob/main/doc/table_format.md), which TensorFlow keeps the
 * index of a checkpoint in: blocks of entries whose keys share beginnings, an index block of the
 * others' places, and a footer. Checksums are checked and keys must ascend, so no block can be used
 * twice.
 */
final class SortedTable {
  /** The last eight bytes. */
  private static final long MAGIC = 0xdb4775248b80fb57L;

  private static final int FOOTER_BYTES = 48;
  private static final int TRAILER_BYTES = 5;
  private static final int MAX_BLOCK_BYTES = 64 << 20;
  private static final int MAX_KEY_BYTES = 4096;
  private static final long MAX_ALL_KEYS_BYTES = 64 << 20;

  private final Region region;
  private final Map<String, byte[]> entries = new LinkedHashMap<>();
  private byte[] last = {};
  private boolean any;
  private long keyBytes;

  private static final class Entry {
    static final Entry NONE = new Entry(new byte[0], new byte[0]);

    final byte[] key;
    final byte[] value;

    Entry(byte[] key, byte[] value) {
      this.key = key;
      this.value = value;
    }
  }

  private SortedTable(Region region) {
    this.region = region;
  }

  /** Whether a file ends as such tables do. */
  static boolean recognizes(Region region) throws IOException {
    if (region.length() < FOOTER_BYTES) {
      return false;
    }
    byte[] end = region.part(region.length() - Long.BYTES, Long.BYTES, "it").bytes(8, "it");
    return little(end).getLong() == MAGIC;
  }

  /** Reads all entries, in the order of their keys. */
  static Map<String, byte[]> read(Region region) throws IOException {
    SortedTable table = new SortedTable(region);
    try {
      table.read();
    } catch (BufferUnderflowException | IllegalArgumentException e) {
      throw table.damaged("a block ends too early", e);
    }
    return table.entries;
  }

  private void read() throws IOException {
    Region end = region.part(region.length() - FOOTER_BYTES, FOOTER_BYTES, "its footer");
    ByteBuffer footer = little(end.bytes(FOOTER_BYTES, "its footer"));
    block(footer); // of filters, which TensorFlow has none of
    ByteBuffer index = block(footer);
    Entry place = Entry.NONE;
    while (index.hasRemaining()) {
      place = entry(index, place);
      ByteBuffer block = block(little(place.value));
      if (!block.hasRemaining()) {
        throw damaged("an empty block", null);
      }
      Entry entry = Entry.NONE;
      while (block.hasRemaining()) {
        entry = entry(block, entry);
        add(entry.key, entry.value);
      }
    }
  }

  private void add(byte[] name, byte[] value) throws FileFormatException {
    if (any && Arrays.compareUnsigned(last, name) >= 0) {
      throw damaged("its keys do not ascend", null);
    }
    any = true;
    last = name;
    keyBytes += name.length;
    if (keyBytes > MAX_ALL_KEYS_BYTES) {
      throw damaged("its keys have more than %d bytes".formatted(MAX_ALL_KEYS_BYTES), null);
    }
    entries.put(new String(name, StandardCharsets.UTF_8), value);
  }

  /** The entry that comes next: what its key shares with the one before, and the rest. */
  private Entry entry(ByteBuffer block, Entry before) throws FileFormatException {
    long shared = number(block);
    long more = number(block);
    long bytes = number(block);
    if (shared > before.key.length || more > MAX_KEY_BYTES - shared) {
      throw damaged("a key of %d + %d bytes".formatted(shared, more), null);
    }
    if (more + bytes > block.remaining()) {
      throw damaged("a value of %d bytes".formatted(bytes), null);
    }
    byte[] key = Arrays.copyOf(before.key, (int) (shared + more));
    block.get(key, (int) shared, (int) more);
    byte[] value = new byte[(int) bytes];
    block.get(value);
    return new Entry(key, value);
  }

  /** The entries of a block whose place comes next in a buffer. */
  private ByteBuffer block(ByteBuffer place) throws IOException {
    long offset = number(place);
    long size = number(place);
    byte[] bytes =
        region.part(offset, size + TRAILER_BYTES, "a block").bytes(MAX_BLOCK_BYTES, "a block");
    int length = (int) size;
    CRC32C sum = new CRC32C();
    sum.update(bytes, 0, length + 1);
    if (masked((int) sum.getValue()) != little(bytes).getInt(length + 1)) {
      throw damaged("a block's checksum is wrong", null);
    }
    if (bytes[length] != 0) {
      throw damaged("a block is compressed, which TensorFlow does not do", null);
    }
    if (length < Integer.BYTES) {
      throw damaged("a block of %d bytes".formatted(length), null);
    }
    ByteBuffer block = little(bytes);
    int restarts = block.getInt(length - Integer.BYTES);
    long end = length - Integer.BYTES - 4L * restarts;
    if (restarts < 0 || end < 0) {
      throw damaged("a block of %d restarts".formatted(restarts), null);
    }
    return block.limit((int) end);
  }

  /** The form in which checksums are stored beside what they are of. */
  static int masked(int sum) {
    return (sum >>> 15 | sum << 17) + 0xa282ead8;
  }

  /** A number in groups of seven bits; at most 2^56. */
  private long number(ByteBuffer buffer) throws FileFormatException {
    long value = 0;
    for (int shift = 0; shift < 56; shift += 7) {
      byte group = buffer.get();
      value |= (group & 0x7FL) << shift;
      if (group >= 0) {
        return value;
      }
    }
    throw damaged("a number of more than 56 bits", null);
  }

  private static ByteBuffer little(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private FileFormatException damaged(String problem, Throwable cause) {
    return new FileFormatException(
        region.file(), "is a damaged checkpoint index: " + problem, cause);
  }
}
