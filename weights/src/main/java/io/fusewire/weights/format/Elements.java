// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.ElementType;
import io.fusewire.io.FileFormatException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.List;

/** Elements as they lie in files, and their number. */
final class Elements {
  /** The most elements that a Java array holds on every JVM. */
  static final int MAX_COUNT = Integer.MAX_VALUE - 8;

  private static final int MAX_RANK = 16;
  private static final int BUFFER_BYTES = 1 << 16;

  private Elements() {}

  /** Reads so many elements as floats; the stream must have them. */
  static float[] floats(
      Path file, InputStream stream, ElementType type, ByteOrder order, long count)
      throws IOException {
    if (count > MAX_COUNT) {
      throw new FileFormatException(
          file, "a tensor of %d elements is more than an array holds".formatted(count));
    }
    float[] result = new float[(int) count];
    int size = type.bytes();
    byte[] bytes = new byte[(int) Math.min(BUFFER_BYTES, Math.max(1, count) * size)];
    ByteBuffer data = ByteBuffer.wrap(bytes).order(order);
    FloatBuffer floats = data.asFloatBuffer();
    int at = 0;
    while (at < result.length) {
      int some = Math.min(bytes.length / size, result.length - at);
      readFully(file, stream, bytes, some * size);
      if (type == ElementType.F32) {
        floats.get(0, result, at, some);
      } else {
        for (int i = 0; i < some; i++) {
          result[at + i] = (float) type.get(data, i * size);
        }
      }
      at += some;
    }
    return result;
  }

  static void readFully(Path file, InputStream stream, byte[] target, int count)
      throws IOException {
    int read = stream.readNBytes(target, 0, count);
    if (read < count) {
      throw new FileFormatException(
          file, "truncated: its data ends %d bytes too early".formatted(count - read));
    }
  }

  static void skipFully(Path file, InputStream stream, long count) throws IOException {
    long left = count;
    while (left > 0) {
      long skipped = stream.skip(left);
      if (skipped == 0) {
        if (stream.read() < 0) {
          throw new FileFormatException(
              file, "truncated: its data ends %d bytes too early".formatted(left));
        }
        skipped = 1;
      }
      left -= skipped;
    }
  }

  /** Number of elements of a shape that a file claims. */
  static long count(Path file, String name, List<Long> shape) throws FileFormatException {
    long count = 1;
    if (shape.size() <= MAX_RANK) {
      for (long extent : shape) {
        if (extent < 0 || (extent > 0 && count > Long.MAX_VALUE / 16 / extent)) {
          throw new FileFormatException(
              file, "tensor '%s' has the impossible shape %s".formatted(shorten(name), shape));
        }
        count *= extent;
      }
      return count;
    }
    throw new FileFormatException(
        file,
        "tensor '%s' has %d dimensions, where %d are allowed"
            .formatted(shorten(name), shape.size(), MAX_RANK));
  }

  /** A text of a file as a message shows it: short and without control characters. */
  static String shorten(String text) {
    String printable =
        text.codePoints()
            .limit(100)
            .collect(
                StringBuilder::new,
                (all, c) -> all.appendCodePoint(Character.isISOControl(c) ? '?' : c),
                StringBuilder::append)
            .toString();
    return printable.length() < text.length() ? printable + "..." : printable;
  }

  /** From row-major order of the reversed shape to row-major order: a Fortran array's elements. */
  static float[] fromFortranOrder(float[] values, List<Long> shape) {
    int rank = shape.size();
    if (rank < 2 || values.length == 0) {
      return values;
    }
    float[] result = new float[values.length];
    int[] index = new int[rank];
    int[] strides = new int[rank];
    int stride = 1;
    for (int d = 0; d < rank; d++) {
      strides[d] = stride;
      stride *= (int) (long) shape.get(d);
    }
    int from = 0;
    for (int to = 0; to < result.length; to++) {
      result[to] = values[from];
      for (int d = rank - 1; d >= 0; d--) {
        from += strides[d];
        if (++index[d] < shape.get(d)) {
          break;
        }
        from -= strides[d] * index[d];
        index[d] = 0;
      }
    }
    return result;
  }
}
