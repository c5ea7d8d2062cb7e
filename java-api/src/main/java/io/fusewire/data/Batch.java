// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import io.fusewire.ops.Device;
import io.fusewire.ops.PinnedMemory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.util.Arrays;

/** Images and labels of one step, in host memory. */
public final class Batch {
  /** Label of a place in a batch that holds no image, or one that could not be read. */
  public static final int NO_LABEL = -1;

  /** Labels begin at a multiple of this. */
  private static final int ALIGNMENT = 16;

  private final PinnedMemory pinned;
  private final ByteBuffer images;
  private final IntBuffer deviceLabels;
  private final int[] labels;
  private int counted;

  /** Images and, behind them, labels in one piece; pinned for a device unless that is null. */
  Batch(int size, int imageBytes, Device device) {
    int bytes = Math.multiplyExact(size, imageBytes);
    int total = Math.toIntExact(labelOffset(bytes) + (long) size * Integer.BYTES);
    pinned = device == null ? null : PinnedMemory.allocate(device, total);
    ByteBuffer all = pinned == null ? ByteBuffer.allocateDirect(total) : pinned.buffer();
    images = all.slice(0, bytes);
    deviceLabels =
        all.slice((int) labelOffset(bytes), size * Integer.BYTES)
            .order(ByteOrder.nativeOrder())
            .asIntBuffer();
    labels = new int[size];
  }

  /**
   * Where the labels begin in {@link #pinned}.
   *
   * @param imageBytes bytes of all images
   * @return a multiple of 16
   */
  public static long labelOffset(long imageBytes) {
    return (imageBytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /**
   * Images and labels in one piece of memory, for a copy that runs beside other work.
   *
   * @return images, and labels as i32 from {@link #labelOffset} on; null if the batch is of a pool
   *     that pins nothing
   */
  public PinnedMemory pinned() {
    return pinned;
  }

  /**
   * The images.
   *
   * @return direct memory, (batch, height, width, channels) uint8, position 0
   */
  public ByteBuffer images() {
    return images.duplicate();
  }

  /**
   * The labels; negative where there is no image.
   *
   * @return (batch); not a copy
   */
  public int[] labels() {
    return labels;
  }

  /**
   * Number of images that count, those with a label.
   *
   * @return 0 to batch
   */
  public int counted() {
    return counted;
  }

  /** Fills the batch from a data set. */
  void fill(Dataset data, int[] order, int from, long seed, byte[] scratch) {
    int bytes = scratch.length;
    counted = 0;
    for (int i = 0; i < labels.length; i++) {
      boolean good = from + i < order.length;
      if (good) {
        int index = order[from + i];
        good = data.read(index, mix(seed, index), scratch, 0);
        labels[i] = good ? data.label(index) : NO_LABEL;
      } else {
        labels[i] = NO_LABEL;
      }
      // A place without an image keeps the image before it, so that BatchNorm sees nothing odd.
      if (good) {
        counted++;
      } else if (counted == 0) {
        Arrays.fill(scratch, (byte) 0);
      }
      images.put(i * bytes, scratch);
    }
    deviceLabels.put(0, labels);
  }

  /** Spreads a seed and an index over 64 bits (the finalizer of SplitMix64). */
  private static long mix(long seed, long index) {
    long z = seed * 0x9E3779B97F4A7C15L + index + 1;
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }
}
