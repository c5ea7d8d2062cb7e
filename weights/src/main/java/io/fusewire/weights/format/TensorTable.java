// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.FileFormatException;
import io.fusewire.io.TensorFile;
import io.fusewire.io.TensorInfo;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** An opened file whose tensors each know how to read their values. */
final class TensorTable implements TensorFile {
  private final Path file;
  private final String format;
  private final Closeable source;
  private final Map<String, String> metadata = new LinkedHashMap<>();
  private final Map<String, TensorInfo> tensors = new LinkedHashMap<>();
  private final Map<String, Values> values = new LinkedHashMap<>();

  /** Reads a tensor's elements in C order. */
  @FunctionalInterface
  interface Values {
    float[] read() throws IOException;
  }

  TensorTable(Path file, String format, Closeable source) {
    this.file = file;
    this.format = format;
    this.source = source;
  }

  /** Adds a tensor whose shape was checked. */
  void add(TensorInfo tensor, Values reader) throws FileFormatException {
    if (tensors.putIfAbsent(tensor.name(), tensor) != null) {
      throw new FileFormatException(
          file, "has two tensors '" + Elements.shorten(tensor.name()) + "'");
    }
    values.put(tensor.name(), reader);
  }

  void say(String key, String value) {
    metadata.putIfAbsent(key, value);
  }

  @Override
  public Path file() {
    return file;
  }

  @Override
  public String format() {
    return format;
  }

  @Override
  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(metadata);
  }

  @Override
  public Map<String, TensorInfo> tensors() {
    return Collections.unmodifiableMap(tensors);
  }

  @Override
  public float[] readFloats(String name) throws IOException {
    Values reader = values.get(name);
    if (reader == null) {
      throw new FileFormatException(file, "has no tensor '" + name + "'");
    }
    if (tensors.get(name).count() > Elements.MAX_COUNT) {
      throw new FileFormatException(
          file,
          "tensor '%s' of shape %s has more elements than an array holds"
              .formatted(Elements.shorten(name), tensors.get(name).shape()));
    }
    try {
      return reader.read();
    } catch (FileFormatException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      throw new FileFormatException(
          file,
          "tensor '%s' cannot be read: %s".formatted(Elements.shorten(name), e.getMessage()),
          e);
    }
  }

  @Override
  public void close() throws IOException {
    source.close();
  }
}
