// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.FileFormatException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/** Keras 3's {@code .keras}: a zip archive with the layers' list and the weights as HDF5. */
final class KerasArchive {
  private static final String WEIGHTS = "model.weights.h5";
  private static final String CONFIG = "config.json";
  private static final int MAX_CONFIG_BYTES = 16 << 20;

  private KerasArchive() {}

  /** Whether an archive is of this kind. */
  static boolean recognizes(ZipArchive zip) {
    return zip.entries().containsKey(WEIGHTS) && zip.entries().containsKey(CONFIG);
  }

  static TensorTable open(Path file, FileChannel channel, ZipArchive zip) throws IOException {
    ZipArchive.Entry weights = zip.entries().get(WEIGHTS);
    if (!weights.stored()) {
      throw new FileFormatException(
          file, "has compressed weights, which Keras does not write; unpack " + WEIGHTS);
    }
    KerasLayers layers = KerasLayers.parse(file, zip.entries().get(CONFIG).bytes(MAX_CONFIG_BYTES));
    TensorTable table = new TensorTable(file, "Keras", channel);
    KerasHdf.read(table, weights.data(), layers::name);
    return table;
  }
}
