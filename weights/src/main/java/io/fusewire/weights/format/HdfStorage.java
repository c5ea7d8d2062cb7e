// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.FileFormatException;
import io.jhdf.Superblock;
import io.jhdf.exceptions.HdfException;
import io.jhdf.storage.HdfBackingStorage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;

/**
 * An HDF5 file's structure as jHDF reads it, with an end to it: whatever points in circles has read
 * all it may at some time. Tensors' values are not read through this.
 */
final class HdfStorage implements HdfBackingStorage {
  private static final int SUPERBLOCK_BYTES = 256;
  private static final long MAX_BYTES = 64 << 20;

  /**
   * Reads for one object: above a group's of ten thousand, and below what the stack's depth takes.
   */
  private static final int MAX_READS = 3000;

  private final Region region;
  private final Superblock superblock;
  private long left;
  private int reads;

  HdfStorage(Region region) throws IOException {
    this.region = region;
    this.left = Math.min(MAX_BYTES, 64 * region.length() + SUPERBLOCK_BYTES);
    try {
      this.superblock = Superblock.readSuperblock(buffer(0, SUPERBLOCK_BYTES));
    } catch (RuntimeException e) {
      throw new FileFormatException(
          region.file(), "is a damaged HDF5 file: " + HdfObjects.reason(e), e);
    }
    if (superblock.getBaseAddressByte() != 0) {
      throw new FileFormatException(region.file(), "is an HDF5 file with a user block");
    }
  }

  /** Another object is read from here on. */
  void nextObject() {
    reads = 0;
  }

  private ByteBuffer buffer(long address, long length) {
    if (address < 0 || address > region.length() || length < 0) {
      throw new HdfException("%d bytes at %d, outside the file".formatted(length, address));
    }
    // jHDF asks for more than it uses, at the file's end for more than there is.
    int bytes = (int) Math.min(Math.min(length, region.length() - address), MAX_BYTES);
    left -= bytes;
    if (left < 0 || ++reads > MAX_READS) {
      throw new HdfException("its structure is endless");
    }
    byte[] content = new byte[bytes];
    try (InputStream stream = region.part(address, bytes, "its structure").stream()) {
      Elements.readFully(region.file(), stream, content, bytes);
    } catch (IOException e) {
      throw new HdfException(e.getMessage(), e);
    }
    return ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public ByteBuffer readBufferFromAddress(long address, int length) {
    return buffer(address, length);
  }

  @Override
  public ByteBuffer map(long address, long length) {
    return buffer(address, length);
  }

  @Override
  public ByteBuffer mapNoOffset(long address, long length) {
    return buffer(address, length);
  }

  @Override
  public long getUserBlockSize() {
    return 0;
  }

  @Override
  public Superblock getSuperblock() {
    return superblock;
  }

  @Override
  public FileChannel getFileChannel() {
    throw new HdfException("not read by channel");
  }

  @Override
  public int getSizeOfOffsets() {
    return superblock.getSizeOfOffsets();
  }

  @Override
  public int getSizeOfLengths() {
    return superblock.getSizeOfLengths();
  }

  @Override
  public long size() {
    return region.length();
  }

  @Override
  public boolean inMemory() {
    return true;
  }

  @Override
  public void close() {
    // The file is its owner's.
  }
}
