// SPDX-License-Identifier: Apache-2.0
package io.fusewire.io;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Collects tensors and writes them as one safetensors file, which replaces an older one whole or
 * not at all.
 */
public final class SafeTensorsWriter {
  private static final int CHUNK_BYTES = 1 << 20;
  private static final JsonFactory JSON = new JsonFactory();

  private final Map<String, String> metadata = new LinkedHashMap<>();
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();

  /** Starts with no tensors. */
  public SafeTensorsWriter() {}

  private record Tensor(ElementType type, List<? extends Number> shape, Object values) {}

  /**
   * Adds a string to the header.
   *
   * @param key its key
   * @param value its value
   * @return this
   */
  public SafeTensorsWriter metadata(String key, String value) {
    metadata.put(key, value);
    return this;
  }

  /**
   * Adds an f32 tensor.
   *
   * @param name not used before
   * @param shape extents, whose product is the number of values; empty for a scalar
   * @param values elements in C order; not copied, so not to be changed before {@link #write}
   * @return this
   */
  public SafeTensorsWriter add(String name, List<? extends Number> shape, float[] values) {
    put(name, new Tensor(ElementType.F32, shape, values), values.length);
    return this;
  }

  /**
   * Adds an i64 tensor.
   *
   * @param name not used before
   * @param shape extents, whose product is the number of values; empty for a scalar
   * @param values elements in C order; not copied, so not to be changed before {@link #write}
   * @return this
   */
  public SafeTensorsWriter add(String name, List<? extends Number> shape, long[] values) {
    put(name, new Tensor(ElementType.I64, shape, values), values.length);
    return this;
  }

  private void put(String name, Tensor tensor, int count) {
    long product = 1;
    for (Number extent : tensor.shape) {
      product = Math.multiplyExact(product, extent.longValue());
    }
    if (product != count) {
      throw new IllegalArgumentException(
          "tensor '%s' of shape %s has %d values".formatted(name, tensor.shape, count));
    }
    if (tensors.putIfAbsent(name, tensor) != null) {
      throw new IllegalArgumentException("there is a tensor '" + name + "' already");
    }
  }

  /**
   * Writes the file.
   *
   * @param file the file to replace
   * @throws IOException if it could not be written whole; an older file is then untouched
   */
  public void write(Path file) throws IOException {
    byte[] header = header();
    AtomicFile.replace(
        file,
        channel -> {
          ByteBuffer buffer = ByteBuffer.allocateDirect(CHUNK_BYTES).order(ByteOrder.LITTLE_ENDIAN);
          buffer.putLong(header.length);
          writeBytes(channel, buffer, header);
          for (ElementType type : List.of(ElementType.I64, ElementType.F32)) {
            for (Tensor tensor : tensors.values()) {
              if (tensor.type == type) {
                writeTensor(channel, buffer, tensor);
              }
            }
          }
          drain(channel, buffer);
        });
  }

  /** The JSON header, padded with spaces so that the data starts on a multiple of 8 bytes. */
  private byte[] header() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator json = JSON.createGenerator(bytes)) {
      json.writeStartObject();
      if (!metadata.isEmpty()) {
        json.writeObjectFieldStart("__metadata__");
        for (Map.Entry<String, String> entry : metadata.entrySet()) {
          json.writeStringField(entry.getKey(), entry.getValue());
        }
        json.writeEndObject();
      }
      long at = 0;
      for (ElementType type : List.of(ElementType.I64, ElementType.F32)) {
        for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
          Tensor tensor = entry.getValue();
          if (tensor.type == type) {
            at = writeEntry(json, entry.getKey(), tensor, at);
          }
        }
      }
      json.writeEndObject();
    }
    while (bytes.size() % 8 != 0) {
      bytes.write(' ');
    }
    return bytes.toByteArray();
  }

  private static long writeEntry(JsonGenerator json, String name, Tensor tensor, long at)
      throws IOException {
    long bytes = tensor.type.bytes();
    json.writeObjectFieldStart(name);
    json.writeStringField("dtype", tensor.type.name());
    json.writeArrayFieldStart("shape");
    for (Number extent : tensor.shape) {
      json.writeNumber(extent.longValue());
      bytes *= extent.longValue();
    }
    json.writeEndArray();
    json.writeArrayFieldStart("data_offsets");
    json.writeNumber(at);
    json.writeNumber(at + bytes);
    json.writeEndArray();
    json.writeEndObject();
    return at + bytes;
  }

  private static void writeTensor(FileChannel channel, ByteBuffer buffer, Tensor tensor)
      throws IOException {
    if (tensor.values instanceof float[] values) {
      for (float value : values) {
        if (buffer.remaining() < Float.BYTES) {
          drain(channel, buffer);
        }
        buffer.putFloat(value);
      }
    } else {
      for (long value : (long[]) tensor.values) {
        if (buffer.remaining() < Long.BYTES) {
          drain(channel, buffer);
        }
        buffer.putLong(value);
      }
    }
  }

  private static void writeBytes(FileChannel channel, ByteBuffer buffer, byte[] bytes)
      throws IOException {
    int at = 0;
    while (at < bytes.length) {
      if (!buffer.hasRemaining()) {
        drain(channel, buffer);
      }
      int count = Math.min(buffer.remaining(), bytes.length - at);
      buffer.put(bytes, at, count);
      at += count;
    }
  }

  private static void drain(FileChannel channel, ByteBuffer buffer) throws IOException {
    buffer.flip();
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
    buffer.clear();
  }
}
