// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.FileFormatException;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * PyTorch's files before 1.6: pickles of a magic number, a protocol number, the system's
 * properties, what was saved, and the storages' keys; then each storage, its number of elements
 * before it.
 */
final class TorchLegacy {
  private static final BigInteger MAGIC = new BigInteger("1950a86a20f9469cfc6c", 16);
  private static final long PROTOCOL = 1001;

  private TorchLegacy() {}

  /** Whether a file begins as these do: a pickle of protocol 2 or later with the magic number. */
  static boolean recognizes(ByteBuffer head) {
    byte[] number = MAGIC.toByteArray();
    if (head.limit() < 4 + number.length
        || head.get(0) != (byte) 0x80
        || head.get(2) != (byte) 0x8a) {
      return false;
    }
    boolean same = head.get(3) == number.length;
    for (int i = 0; i < number.length; i++) {
      same &= head.get(4 + i) == number[number.length - 1 - i];
    }
    return same;
  }

  static TensorTable open(Path file, FileChannel channel) throws IOException {
    Region whole = Region.whole(file, channel);
    PickleStream pickles = new PickleStream(whole, whole.stream());
    Map<String, TorchObjects.Storage> seen = new HashMap<>();
    Object magic = read(file, pickles, seen);
    Object protocol = read(file, pickles, seen);
    if (!MAGIC.equals(magic) || !(protocol instanceof Number n) || n.longValue() != PROTOCOL) {
      throw new FileFormatException(file, "is no PyTorch file of protocol %d".formatted(PROTOCOL));
    }
    Object system = read(file, pickles, seen);
    if (!(system instanceof Map<?, ?> properties)
        || !Boolean.TRUE.equals(properties.get("little_endian"))) {
      throw new FileFormatException(file, "was written by a machine that is not little-endian");
    }
    StateDict weights = StateDict.find(file, read(file, pickles, seen));
    Object keys = read(file, pickles, seen);
    Map<String, TorchTensors.Stored> storages =
        storages(whole, pickles.position(), keyList(file, keys), seen);
    TensorTable table = new TensorTable(file, "PyTorch (before 1.6)", channel);
    TorchTensors.add(table, weights, storages);
    return table;
  }

  private static Object read(
      Path file, PickleStream pickles, Map<String, TorchObjects.Storage> seen) throws IOException {
    return WeightUnpickler.read(file, pickles, s -> seen.putIfAbsent(s.key(), s));
  }

  private static List<String> keyList(Path file, Object keys) throws FileFormatException {
    List<String> result = new ArrayList<>();
    if (keys instanceof List<?> list) {
      for (Object key : list) {
        if (key instanceof String name) {
          result.add(name);
        }
      }
      if (result.size() == list.size()) {
        return result;
      }
    }
    throw new FileFormatException(file, "has no list of its storages' keys");
  }

  /** Finds the storages, which follow each other; how large one is shows from its class. */
  private static Map<String, TorchTensors.Stored> storages(
      Region whole, long start, List<String> keys, Map<String, TorchObjects.Storage> seen)
      throws IOException {
    Map<String, TorchTensors.Stored> result = new HashMap<>();
    long at = start;
    for (String key : keys) {
      String quoted = "storage '" + Elements.shorten(key) + "'";
      TorchObjects.Storage storage = seen.get(key);
      if (storage == null) {
        throw new FileFormatException(whole.file(), "has a " + quoted + " that nothing lies in");
      }
      int size = storage.type().bytes();
      byte[] number = whole.part(at, Long.BYTES, quoted).bytes(Long.BYTES, quoted);
      long count = ByteBuffer.wrap(number).order(ByteOrder.LITTLE_ENDIAN).getLong();
      if (count < 0 || count > whole.length() / size) {
        throw new FileFormatException(
            whole.file(),
            "%s has %s elements, which the file does not have"
                .formatted(quoted, Long.toUnsignedString(count)));
      }
      TorchTensors.Opener opener = whole.part(at + Long.BYTES, count * size, quoted)::stream;
      if (result.put(key, new TorchTensors.Stored(count, ByteOrder.LITTLE_ENDIAN, opener))
          != null) {
        throw new FileFormatException(whole.file(), "has two of " + quoted);
      }
      at += Long.BYTES + count * size;
    }
    return result;
  }
}
