// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.FileFormatException;
import io.fusewire.io.SafeTensors;
import io.fusewire.io.TensorFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Finds from a file's content what kind of file it is. */
public final class WeightFormats {
  private static final String READABLE =
      "safetensors, PyTorch (.pth, .pt, both formats), NumPy (.npz), Keras (.h5, .keras), TensorFlow checkpoints (.index,"
          + " their prefix or their folder), ONNX (.onnx)";

  private static final int ZIP_MAGIC = 'P' | 'K' << 8 | 3 << 16 | 4 << 24;
  private static final int ZIP_EMPTY_MAGIC = 'P' | 'K' << 8 | 5 << 16 | 6 << 24;

  private WeightFormats() {}

  /**
   * Opens a file of weights of any kind that can be read.
   *
   * @param given the file; of a TensorFlow checkpoint its index, prefix or folder
   * @return the opened file; to be closed
   * @throws FileFormatException if it is of no such kind, or damaged
   * @throws IOException if it cannot be read
   */
  public static TensorFile open(Path given) throws IOException {
    Path index = TensorFlowCheckpoint.index(given);
    Path file = index == null ? given : index;
    FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
    TensorFile opened = null;
    try {
      TensorFile candidate = open(file, channel);
      if (candidate.tensors().isEmpty()) {
        candidate.close();
        throw new FileFormatException(file, "has no tensors");
      }
      opened = candidate;
    } finally {
      if (opened == null || opened instanceof SafeTensors) {
        channel.close();
      }
    }
    return opened;
  }

  private static TensorFile open(Path file, FileChannel channel) throws IOException {
    ByteBuffer head = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
    while (head.hasRemaining() && channel.read(head, head.position()) > 0) {}
    head.flip();
    if (head.limit() == 0) {
      throw new FileFormatException(file, "is empty");
    }
    int magic = head.limit() < Integer.BYTES ? 0 : head.getInt(0);
    if (magic == ZIP_MAGIC || magic == ZIP_EMPTY_MAGIC) {
      return openZip(file, channel);
    }
    if (TorchLegacy.recognizes(head)) {
      return TorchLegacy.open(file, channel);
    }
    if (KerasHdf.recognizes(head)) {
      return KerasHdf.open(file, channel);
    }
    if (head.limit() > Long.BYTES && head.get(Long.BYTES) == '{') {
      return SafeTensors.open(file);
    }
    if (SortedTable.recognizes(Region.whole(file, channel))) {
      return TensorFlowCheckpoint.open(file, channel);
    }
    if (OnnxFile.recognizes(head)) {
      return OnnxFile.open(file, channel);
    }
    if (file.getFileName().toString().matches(".*\\.data-\\d{5}-of-\\d{5}")) {
      throw new FileFormatException(
          file, "has the data of a TensorFlow checkpoint; give its .index");
    }
    throw new FileFormatException(
        file, "is no file of weights that can be read: %s can".formatted(READABLE));
  }

  private static TensorFile openZip(Path file, FileChannel channel) throws IOException {
    ZipArchive zip = ZipArchive.open(file, channel);
    if (TorchZip.recognizes(zip)) {
      return TorchZip.open(file, channel, zip);
    }
    if (KerasArchive.recognizes(zip)) {
      return KerasArchive.open(file, channel, zip);
    }
    if (Npz.recognizes(zip)) {
      return Npz.open(file, channel, zip);
    }
    throw new FileFormatException(
        file, "is a zip archive without weights that can be read: %s can".formatted(READABLE));
  }
}
