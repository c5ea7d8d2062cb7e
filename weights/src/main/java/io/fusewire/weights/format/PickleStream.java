// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.FileFormatException;
import java.io.IOException;
import java.io.InputStream;

/** The bytes of pickles in a file, which can be looked at before they are read. */
final class PickleStream extends InputStream {
  /**
   * Pickles describe tensors, they do not hold them: those of the largest checkpoints have a few
   * MB.
   */
  private static final long MAX_BYTES = 64 << 20;

  private final Region region;
  private final InputStream source;
  private final byte[] buffer = new byte[1 << 14];
  private int start;
  private int end;
  private long position;

  PickleStream(Region region, InputStream source) {
    this.region = region;
    this.source = source;
  }

  /** Bytes read so far. */
  long position() {
    return position;
  }

  /** Refuses a length of a string unless the file has so many bytes. */
  void require(long bytes) throws FileFormatException {
    if (bytes < 0 || bytes > Math.min(region.length(), MAX_BYTES) - position) {
      throw new FileFormatException(
          region.file(),
          "its pickle has a string of %s bytes, which it cannot hold"
              .formatted(Long.toUnsignedString(bytes)));
    }
  }

  /** The little-endian number of so many bytes that comes next, still to be read. */
  long peek(int bytes) throws IOException {
    if (end - start < bytes) {
      System.arraycopy(buffer, start, buffer, 0, end - start);
      end -= start;
      start = 0;
      while (end < bytes && fill() > 0) {}
      if (end < bytes) {
        throw ended();
      }
    }
    long value = 0;
    for (int i = bytes - 1; i >= 0; i--) {
      value = value << 8 | (buffer[start + i] & 0xFF);
    }
    return value;
  }

  /** A line, as old operations have them for names. */
  String line() throws IOException {
    StringBuilder line = new StringBuilder();
    for (int c = read(); c != '\n'; c = read()) {
      if (line.length() == 256) {
        throw new FileFormatException(region.file(), "its pickle has a name without an end");
      }
      line.append((char) c);
    }
    return line.toString();
  }

  @Override
  public int read() throws IOException {
    if (start == end) {
      start = 0;
      end = 0;
      if (fill() <= 0) {
        throw ended();
      }
    }
    position++;
    return buffer[start++] & 0xFF;
  }

  @Override
  public int read(byte[] target, int offset, int count) throws IOException {
    if (count == 0) {
      return 0;
    }
    target[offset] = (byte) read();
    int more = Math.min(count - 1, end - start);
    System.arraycopy(buffer, start, target, offset + 1, more);
    start += more;
    position += more;
    return 1 + more;
  }

  private int fill() throws IOException {
    if (position + (end - start) > MAX_BYTES) {
      throw new FileFormatException(
          region.file(), "its pickle has more than %d bytes".formatted(MAX_BYTES));
    }
    int read = source.read(buffer, end, buffer.length - end);
    end += Math.max(0, read);
    return read;
  }

  private FileFormatException ended() {
    return new FileFormatException(region.file(), "truncated: its pickle does not end");
  }
}
