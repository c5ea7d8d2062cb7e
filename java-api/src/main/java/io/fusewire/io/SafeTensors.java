// SPDX-License-Identifier: Apache-2.0
package io.fusewire.io;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A safetensors file (https://huggingface.co/docs/safetensors), opened for reading: an 8-byte
 * length, a JSON header, then the tensors' bytes. The header is read and checked whole on opening;
 * tensors are mapped into memory when asked for. Anything truncated, overlapping, out of range or
 * left over is refused with a {@link FileFormatException}.
 */
public final class SafeTensors implements TensorFile {
  private static final long LENGTH_BYTES = 8;
  private static final long MAX_HEADER_BYTES = 100_000_000;
  private static final int MAX_RANK = 16;
  private static final JsonFactory JSON =
      JsonFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(4)
                  .maxStringLength(10_000_000)
                  .maxNumberLength(20)
                  .build())
          .build();

  private final Path file;
  private final FileChannel channel;
  private final long dataStart;
  private final Map<String, String> metadata;
  private final Map<String, Entry> entries;

  /**
   * One tensor's place and shape.
   *
   * @param name its name
   * @param type element type
   * @param shape extents; empty for a scalar
   * @param begin first byte, counted from the end of the header
   * @param end byte after the last
   */
  public record Entry(String name, ElementType type, List<Long> shape, long begin, long end) {
    /**
     * Copies the shape.
     *
     * @param name its name
     * @param type element type
     * @param shape extents; empty for a scalar
     * @param begin first byte, counted from the end of the header
     * @param end byte after the last
     */
    public Entry {
      shape = List.copyOf(shape);
    }

    /**
     * Number of elements.
     *
     * @return product of the shape
     */
    public long count() {
      return (end - begin) / type.bytes();
    }
  }

  private SafeTensors(
      Path file,
      FileChannel channel,
      long dataStart,
      Map<String, String> metadata,
      Map<String, Entry> entries) {
    this.file = file;
    this.channel = channel;
    this.dataStart = dataStart;
    this.metadata = metadata;
    this.entries = entries;
  }

  /**
   * Opens a file and checks its header.
   *
   * @param file the file
   * @return the opened file; to be closed
   * @throws FileFormatException if it is not a whole safetensors file
   * @throws IOException if it cannot be read
   */
  public static SafeTensors open(Path file) throws IOException {
    FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
    try {
      long size = channel.size();
      if (size < LENGTH_BYTES + 2) {
        throw new FileFormatException(
            file, "not a safetensors file: " + size + " bytes cannot hold a header");
      }
      ByteBuffer length = ByteBuffer.allocate((int) LENGTH_BYTES).order(ByteOrder.LITTLE_ENDIAN);
      readFully(file, channel, length, 0);
      long headerBytes = length.getLong(0);
      if (headerBytes < 2 || headerBytes > MAX_HEADER_BYTES) {
        throw new FileFormatException(
            file,
            "not a safetensors file: a header of %s bytes, where 2 to %d are allowed"
                .formatted(Long.toUnsignedString(headerBytes), MAX_HEADER_BYTES));
      }
      if (headerBytes > size - LENGTH_BYTES) {
        throw new FileFormatException(
            file,
            "truncated: its header needs %d bytes, the file has %d"
                .formatted(headerBytes + LENGTH_BYTES, size));
      }
      ByteBuffer header = ByteBuffer.allocate((int) headerBytes);
      readFully(file, channel, header, LENGTH_BYTES);
      Map<String, String> metadata = new LinkedHashMap<>();
      Map<String, Entry> entries = new LinkedHashMap<>();
      parse(file, header.array(), metadata, entries);
      long dataStart = LENGTH_BYTES + headerBytes;
      checkPlaces(file, entries, size - dataStart);
      return new SafeTensors(
          file,
          channel,
          dataStart,
          Collections.unmodifiableMap(metadata),
          Collections.unmodifiableMap(entries));
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  private static void readFully(Path file, FileChannel channel, ByteBuffer target, long position)
      throws IOException {
    long at = position;
    while (target.hasRemaining()) {
      int read = channel.read(target, at);
      if (read < 0) {
        throw new FileFormatException(file, "truncated at byte " + at);
      }
      at += read;
    }
  }

  private static void parse(
      Path file, byte[] header, Map<String, String> metadata, Map<String, Entry> entries)
      throws IOException {
    if (header[0] != '{') {
      throw new FileFormatException(file, "not a safetensors file: its header is not JSON");
    }
    try (JsonParser json = JSON.createParser(header)) {
      json.nextToken();
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String name = json.currentName();
        expect(file, json.nextToken() == JsonToken.START_OBJECT, name, "is not an object");
        if (name.equals("__metadata__")) {
          while (json.nextToken() == JsonToken.FIELD_NAME) {
            String key = json.currentName();
            expect(
                file,
                json.nextToken() == JsonToken.VALUE_STRING,
                name,
                "has a value that is not a string at '" + key + "'");
            metadata.put(key, json.getText());
          }
        } else {
          entries.put(name, parseEntry(file, json, name));
        }
      }
      expect(file, json.currentToken() == JsonToken.END_OBJECT, "the header", "does not end");
      expect(file, json.nextToken() == null, "the header", "has text after its end");
    } catch (com.fasterxml.jackson.core.JacksonException e) {
      throw new FileFormatException(
          file, "its header is not valid JSON: " + e.getOriginalMessage(), e);
    }
  }

  private static Entry parseEntry(Path file, JsonParser json, String name) throws IOException {
    ElementType type = null;
    List<Long> shape = null;
    List<Long> offsets = null;
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String key = json.currentName();
      JsonToken value = json.nextToken();
      switch (key) {
        case "dtype" -> {
          expect(file, value == JsonToken.VALUE_STRING, name, "has a dtype that is not a string");
          try {
            type = ElementType.valueOf(json.getText());
          } catch (IllegalArgumentException e) {
            throw new FileFormatException(
                file, "tensor '%s' has the unknown dtype '%s'".formatted(name, json.getText()), e);
          }
        }
        case "shape" -> shape = parseLongs(file, json, name, MAX_RANK);
        case "data_offsets" -> offsets = parseLongs(file, json, name, 2);
        default -> expect(file, false, name, "has the unknown field '" + key + "'");
      }
    }
    expect(
        file,
        type != null && shape != null && offsets != null && offsets.size() == 2,
        name,
        "lacks one of dtype, shape, data_offsets");
    long bytes = type.bytes();
    for (long extent : shape) {
      expect(
          file,
          extent == 0 || bytes <= Long.MAX_VALUE / extent,
          name,
          "has the impossible shape " + shape);
      bytes *= extent;
    }
    long begin = offsets.get(0);
    long end = offsets.get(1);
    expect(
        file,
        begin <= end && end - begin == bytes,
        name,
        "of %s %s needs %d bytes, its offsets are %s".formatted(type, shape, bytes, offsets));
    return new Entry(name, type, shape, begin, end);
  }

  private static List<Long> parseLongs(Path file, JsonParser json, String name, int max)
      throws IOException {
    expect(
        file, json.currentToken() == JsonToken.START_ARRAY, name, "has numbers that are no list");
    List<Long> result = new ArrayList<>();
    while (json.nextToken() == JsonToken.VALUE_NUMBER_INT) {
      long value;
      try {
        value = json.getLongValue();
      } catch (com.fasterxml.jackson.core.exc.InputCoercionException e) {
        value = -1;
      }
      expect(
          file, value >= 0, name, "has a number outside 0 to 2^63-1 at '" + json.getText() + "'");
      result.add(value);
      expect(file, result.size() <= max, name, "has more than " + max + " numbers in a list");
    }
    expect(
        file,
        json.currentToken() == JsonToken.END_ARRAY,
        name,
        "has something other than whole numbers in a list");
    return result;
  }

  private static void expect(Path file, boolean condition, String name, String problem)
      throws FileFormatException {
    if (!condition) {
      throw new FileFormatException(file, "'" + name + "' " + problem);
    }
  }

  /** Tensors must fill the data exactly: no gap, no overlap, nothing missing, nothing left over. */
  private static void checkPlaces(Path file, Map<String, Entry> entries, long dataBytes)
      throws FileFormatException {
    List<Entry> sorted = new ArrayList<>(entries.values());
    sorted.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
    long at = 0;
    for (Entry entry : sorted) {
      if (entry.begin() != at) {
        throw new FileFormatException(
            file,
            "tensor '%s' starts at byte %d of the data, where the one before ends at %d"
                .formatted(entry.name(), entry.begin(), at));
      }
      at = entry.end();
    }
    if (at != dataBytes) {
      throw new FileFormatException(
          file,
          "%s: its tensors need %d bytes of data, the file has %d"
              .formatted(at > dataBytes ? "truncated" : "has bytes left over", at, dataBytes));
    }
  }

  @Override
  public Path file() {
    return file;
  }

  @Override
  public String format() {
    return "safetensors";
  }

  @Override
  public Map<String, String> metadata() {
    return metadata;
  }

  @Override
  public Map<String, TensorInfo> tensors() {
    Map<String, TensorInfo> tensors = new LinkedHashMap<>();
    entries.forEach((name, e) -> tensors.put(name, new TensorInfo(name, e.type(), e.shape())));
    return Collections.unmodifiableMap(tensors);
  }

  /**
   * All tensors by name.
   *
   * @return unmodifiable, in the header's order
   */
  public Map<String, Entry> entries() {
    return entries;
  }

  /**
   * Maps a tensor's bytes into memory.
   *
   * @param name the tensor
   * @return read-only, little-endian
   * @throws FileFormatException if there is no such tensor or it is larger than 2 GiB
   * @throws IOException if it cannot be mapped
   */
  public ByteBuffer map(String name) throws IOException {
    Entry entry = entries.get(name);
    if (entry == null) {
      throw new FileFormatException(file, "has no tensor '" + name + "'");
    }
    long bytes = entry.end() - entry.begin();
    if (bytes > Integer.MAX_VALUE) {
      throw new FileFormatException(
          file, "tensor '%s' of %d bytes is larger than 2 GiB".formatted(name, bytes));
    }
    if (bytes == 0) {
      return ByteBuffer.allocate(0).asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }
    if (dataStart + entry.end() > channel.size()) {
      throw new FileFormatException(file, "was shortened while it was open");
    }
    return channel
        .map(MapMode.READ_ONLY, dataStart + entry.begin(), bytes)
        .order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public float[] readFloats(String name) throws IOException {
    ByteBuffer data = map(name);
    ElementType type = entries.get(name).type();
    float[] result = new float[data.remaining() / type.bytes()];
    if (type == ElementType.F32) {
      data.asFloatBuffer().get(result);
    } else {
      for (int i = 0; i < result.length; i++) {
        result[i] = (float) type.get(data, i * type.bytes());
      }
    }
    return result;
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
