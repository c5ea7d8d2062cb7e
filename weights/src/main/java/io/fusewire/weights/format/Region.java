// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.FileFormatException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Objects;

/**
 * A range of bytes of an open file. It is read at its place, piece by piece: nothing is mapped, so
 * that a file that is cut short meanwhile is an exception and no signal.
 *
 * @param file for messages
 * @param channel the open file
 * @param offset first byte
 * @param length bytes
 */
record Region(Path file, FileChannel channel, long offset, long length) {
  /** Bytes asked from the system at once: its temporary buffers are as large and stay. */
  private static final int PIECE_BYTES = 1 << 18;

  static Region whole(Path file, FileChannel channel) throws IOException {
    return new Region(file, channel, 0, channel.size());
  }

  /** A part; refused unless it lies in this region. */
  Region part(long begin, long bytes, String what) throws FileFormatException {
    if (begin < 0 || bytes < 0 || begin > length || bytes > length - begin) {
      throw new FileFormatException(
          file,
          "%s has %s bytes from byte %s on, where there are %d"
              .formatted(what, Long.toUnsignedString(bytes), Long.toUnsignedString(begin), length));
    }
    return new Region(file, channel, offset + begin, bytes);
  }

  /** All bytes, which must not be more than a limit. */
  byte[] bytes(int limit, String what) throws IOException {
    if (length > limit) {
      throw new FileFormatException(
          file, "%s has %d bytes, where %d are allowed".formatted(what, length, limit));
    }
    byte[] bytes = new byte[(int) length];
    try (InputStream stream = stream()) {
      Elements.readFully(file, stream, bytes, bytes.length);
    }
    return bytes;
  }

  /** The bytes one after the other; the file stays open when the stream is closed. */
  InputStream stream() {
    return new InputStream() {
      private long at;

      @Override
      public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
      }

      @Override
      public int read(byte[] target, int start, int count) throws IOException {
        Objects.checkFromIndexSize(start, count, target.length);
        if (count == 0) {
          return 0;
        }
        if (at >= length) {
          return -1;
        }
        int wanted = (int) Math.min(Math.min(count, PIECE_BYTES), length - at);
        int read = channel.read(ByteBuffer.wrap(target, start, wanted), offset + at);
        if (read < 0) {
          throw new FileFormatException(file, "was shortened while it was open");
        }
        at += read;
        return read;
      }

      @Override
      public long skip(long count) {
        long skipped = Math.max(0, Math.min(count, length - at));
        at += skipped;
        return skipped;
      }

      @Override
      public int available() {
        return (int) Math.min(Integer.MAX_VALUE, length - at);
      }
    };
  }
}
