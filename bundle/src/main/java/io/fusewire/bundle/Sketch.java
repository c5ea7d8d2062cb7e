// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import java.util.zip.CRC32;

/**
 * A result small enough to keep: itself where it is short, else a count sketch (Charikar, Chen,
 * Farach-Colton 2002). Every element is added to or subtracted from one of 64 sums as a hash of its
 * place says. Sketches are linear, and the expected squared norm of a sketch is that of the result:
 * so the distance of two results is known within a tenth or so from their sketches alone. Beside it
 * a checksum of the bits.
 */
final class Sketch {
  private static final int SUMS = 64;
  private static final int SHORT = 128;

  private final long count;
  private final long checksum;
  private final float[] sums;

  /**
   * A sketch that was kept.
   *
   * @param count number of values of the result
   * @param checksum CRC-32 of the values' bits
   * @param sums the sketch
   */
  Sketch(long count, long checksum, float[] sums) {
    this.count = count;
    this.checksum = checksum;
    this.sums = sums;
  }

  /** Number of values of the result. */
  long count() {
    return count;
  }

  /** CRC-32 of the values' bits. */
  long checksum() {
    return checksum;
  }

  /** The sketch, or the result itself. */
  float[] sums() {
    return sums;
  }

  /** Number of sums of a result of so many values. */
  static int size(long count) {
    return count <= SHORT ? (int) count : SUMS;
  }

  static Sketch of(float[] values) {
    CRC32 crc = new CRC32();
    byte[] bytes = new byte[4 * Math.min(values.length, 1024)];
    for (int from = 0; from < values.length; from += 1024) {
      int to = Math.min(values.length, from + 1024);
      int at = 0;
      for (int i = from; i < to; i++) {
        int bits = Float.floatToRawIntBits(values[i]);
        bytes[at++] = (byte) bits;
        bytes[at++] = (byte) (bits >> 8);
        bytes[at++] = (byte) (bits >> 16);
        bytes[at++] = (byte) (bits >> 24);
      }
      crc.update(bytes, 0, at);
    }
    if (values.length <= SHORT) {
      return new Sketch(values.length, crc.getValue(), values);
    }
    double[] wide = new double[SUMS];
    for (int i = 0; i < values.length; i++) {
      long hash = hash(i);
      wide[(int) (hash & (SUMS - 1))] += (hash & SUMS) == 0 ? values[i] : -values[i];
    }
    float[] sums = new float[SUMS];
    for (int i = 0; i < SUMS; i++) {
      sums[i] = (float) wide[i];
    }
    return new Sketch(values.length, crc.getValue(), sums);
  }

  /** SplitMix64's mixing. */
  private static long hash(long i) {
    long z = (i + 1) * 0x9E3779B97F4A7C15L;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  /** Norm of the result; NaN if a value is. */
  double norm() {
    double squares = 0;
    for (float sum : sums) {
      squares += (double) sum * sum;
    }
    return Math.sqrt(squares);
  }

  /** Norm of the difference of two results of one length; NaN if a value is. */
  double distance(Sketch other) {
    double squares = 0;
    for (int i = 0; i < sums.length; i++) {
      double difference = (double) sums[i] - other.sums[i];
      squares += difference * difference;
    }
    return Math.sqrt(squares);
  }

  boolean sameBits(Sketch other) {
    return count == other.count && checksum == other.checksum;
  }

  @Override
  public String toString() {
    return "%d values, norm %.6g, CRC-32 %08x".formatted(count, norm(), checksum);
  }
}
