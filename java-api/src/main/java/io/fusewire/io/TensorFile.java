// SPDX-License-Identifier: Apache-2.0
package io.fusewire.io;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/**
 * A file of named tensors, opened for reading. What the tensors are is known from opening on; their
 * values are read when asked for.
 */
public interface TensorFile extends AutoCloseable {
  /**
   * The file.
   *
   * @return its path as given
   */
  Path file();

  /**
   * What kind of file it is.
   *
   * @return for messages, such as {@code safetensors}
   */
  String format();

  /**
   * Strings that the file says about itself.
   *
   * @return unmodifiable; empty if there are none
   */
  Map<String, String> metadata();

  /**
   * All tensors by name.
   *
   * @return unmodifiable, in the file's order
   */
  Map<String, TensorInfo> tensors();

  /**
   * Reads a tensor as floats, whatever its element type; wider types are rounded.
   *
   * @param name the tensor
   * @return its elements in C order
   * @throws FileFormatException if there is no such tensor or the file is damaged
   * @throws IOException if it cannot be read
   */
  float[] readFloats(String name) throws IOException;

  @Override
  void close() throws IOException;
}
