// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import io.fusewire.io.AtomicFile;
import io.fusewire.io.FileFormatException;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/**
 * An array of unsigned bytes in the IDX format of MNIST (http://yann.lecun.com/exdb/mnist): two
 * zero bytes, the element type (8), the rank, big-endian 32-bit extents, the elements. Read from
 * plain or gzipped files.
 */
public final class IdxFile {
  private static final int UNSIGNED_BYTE = 8;
  private static final int MAX_RANK = 4;
  private static final int CHUNK = 1 << 20;

  private final int[] shape;
  private final byte[] data;

  /**
   * Takes an array.
   *
   * @param shape extents
   * @param data elements in C order; not copied
   */
  public IdxFile(int[] shape, byte[] data) {
    this.shape = shape.clone();
    this.data = data;
  }

  /**
   * Reads a file.
   *
   * @param file plain or gzipped, told by its first bytes
   * @return the array
   * @throws FileFormatException if it is not a whole IDX file of bytes
   * @throws IOException if it cannot be read
   */
  public static IdxFile read(Path file) throws IOException {
    try (InputStream raw = new BufferedInputStream(Files.newInputStream(file), CHUNK)) {
      raw.mark(2);
      boolean gzipped = raw.read() == 0x1F && raw.read() == 0x8B;
      raw.reset();
      InputStream plain = gzipped ? new GZIPInputStream(raw, 1 << 16) : raw;
      try (DataInputStream in = new DataInputStream(plain)) {
        return read(file, in);
      }
    } catch (EOFException | ZipException e) {
      throw new FileFormatException(file, "truncated or damaged: " + e.getMessage(), e);
    }
  }

  private static IdxFile read(Path file, DataInputStream in) throws IOException {
    int magic = in.readInt();
    int type = magic >>> 8;
    int rank = magic & 0xFF;
    if (type != UNSIGNED_BYTE || rank < 1 || rank > MAX_RANK) {
      throw new FileFormatException(
          file,
          "not an IDX file of bytes: it starts with %08x, where 00000801 to 0000080%d are understood"
              .formatted(magic, MAX_RANK));
    }
    int[] shape = new int[rank];
    long count = 1;
    for (int i = 0; i < rank; i++) {
      shape[i] = in.readInt();
      if (shape[i] < 0 || (count *= shape[i]) > Integer.MAX_VALUE - 16) {
        throw new FileFormatException(
            file, "its extents are absurd: " + Arrays.toString(Arrays.copyOf(shape, i + 1)));
      }
    }
    // Grown while reading, so that a damaged length cannot ask for memory that the file does not
    // fill.
    byte[] data = new byte[(int) Math.min(count, CHUNK)];
    int filled = 0;
    while (true) {
      filled += in.readNBytes(data, filled, data.length - filled);
      if (filled < data.length) {
        throw new FileFormatException(
            file,
            "truncated: %s needs %d bytes, there are %d"
                .formatted(Arrays.toString(shape), count, filled));
      }
      if (filled == count) {
        break;
      }
      data = Arrays.copyOf(data, (int) Math.min(count, 2L * data.length));
    }
    if (in.read() >= 0) {
      throw new FileFormatException(file, "has bytes left over after " + Arrays.toString(shape));
    }
    return new IdxFile(shape, data);
  }

  /**
   * Writes a plain file, replacing an older one whole or not at all.
   *
   * @param file the file
   * @throws IOException if it cannot be written
   */
  public void write(Path file) throws IOException {
    ByteBuffer header = ByteBuffer.allocate(4 + 4 * shape.length);
    header.putInt(UNSIGNED_BYTE << 8 | shape.length);
    for (int extent : shape) {
      header.putInt(extent);
    }
    header.flip();
    AtomicFile.replace(
        file,
        channel -> {
          ByteBuffer body = ByteBuffer.wrap(data);
          while (header.hasRemaining()) {
            channel.write(header);
          }
          while (body.hasRemaining()) {
            channel.write(body);
          }
        });
  }

  /**
   * Extents.
   *
   * @return a copy
   */
  public int[] shape() {
    return shape.clone();
  }

  /**
   * Elements in C order.
   *
   * @return not a copy
   */
  public byte[] data() {
    return data;
  }

  /**
   * Number of the first extent.
   *
   * @return images of an image file, labels of a label file
   */
  public int count() {
    return shape[0];
  }
}
