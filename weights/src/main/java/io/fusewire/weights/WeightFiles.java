// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights;

import io.fusewire.io.FileFormatException;
import io.fusewire.io.TensorFile;
import io.fusewire.weights.format.WeightFormats;
import java.io.IOException;
import java.nio.file.Path;

/** Opens files of trained weights, whichever library wrote them. */
public final class WeightFiles {
  private WeightFiles() {}

  /**
   * Opens a file of weights. Its kind is found from its content: safetensors, PyTorch, NumPy,
   * Keras, TensorFlow, ONNX.
   *
   * @param file the file; of a TensorFlow checkpoint its index, its prefix or its folder
   * @return the opened file; to be closed
   * @throws FileFormatException if it is of no kind that can be read, or damaged
   * @throws IOException if it cannot be read
   */
  public static TensorFile open(Path file) throws IOException {
    return WeightFormats.open(file);
  }
}
