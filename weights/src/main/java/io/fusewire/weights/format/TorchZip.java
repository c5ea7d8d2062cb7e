// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.FileFormatException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * PyTorch's files since 1.6: a zip archive with a pickle, {@code data.pkl}, and the bytes of each
 * storage, {@code data/KEY}, all in a folder.
 */
final class TorchZip {
  private TorchZip() {}

  /** Whether an archive is of this kind. */
  static boolean recognizes(ZipArchive zip) {
    return pickle(zip) != null;
  }

  static TensorTable open(Path file, FileChannel channel, ZipArchive zip) throws IOException {
    ZipArchive.Entry pickle = pickle(zip);
    String folder = pickle.name().substring(0, pickle.name().length() - "data.pkl".length());
    if (zip.entries().containsKey(folder + "constants.pkl")) {
      throw new FileFormatException(
          file,
          "is a TorchScript program, not weights; save with torch.save(model.state_dict(), ...)");
    }
    ByteOrder order = byteOrder(file, zip.entries().get(folder + "byteorder"));
    Object saved;
    try (InputStream stream = pickle.stream()) {
      Region region = pickle.data();
      Region inflated = new Region(file, channel, region.offset(), pickle.size());
      saved = WeightUnpickler.read(file, new PickleStream(inflated, stream), storage -> {});
    }
    StateDict weights = StateDict.find(file, saved);
    Map<String, TorchTensors.Stored> storages = new HashMap<>();
    for (TorchObjects.Tensor tensor : weights.tensors().values()) {
      TorchObjects.Storage storage = tensor.storage();
      ZipArchive.Entry data = zip.entries().get(folder + "data/" + storage.key());
      if (data != null && storage.type().type() != null) {
        long count = data.size() / storage.type().type().bytes();
        storages.put(storage.key(), new TorchTensors.Stored(count, order, data::stream));
      }
    }
    TensorTable table = new TensorTable(file, "PyTorch", channel);
    TorchTensors.add(table, weights, storages);
    return table;
  }

  private static ZipArchive.Entry pickle(ZipArchive zip) {
    for (ZipArchive.Entry entry : zip.entries().values()) {
      String name = entry.name();
      boolean inFolder =
          name.endsWith("/data.pkl") && name.indexOf('/') == name.length() - "/data.pkl".length();
      if (inFolder || name.equals("data.pkl")) {
        return entry;
      }
    }
    return null;
  }

  private static ByteOrder byteOrder(Path file, ZipArchive.Entry entry) throws IOException {
    if (entry == null) {
      return ByteOrder.LITTLE_ENDIAN;
    }
    String order = new String(entry.bytes(16), StandardCharsets.US_ASCII).strip();
    return switch (order) {
      case "little" -> ByteOrder.LITTLE_ENDIAN;
      case "big" -> ByteOrder.BIG_ENDIAN;
      default ->
          throw new FileFormatException(
              file, "has the byte order '%s'; little and big are known".formatted(order));
    };
  }
}
