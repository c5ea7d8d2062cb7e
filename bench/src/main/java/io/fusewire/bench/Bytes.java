// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.ops.Meter;

/**
 * Bytes per image at a batch size, which need not be one that was run.
 *
 * @param read distinct sectors read
 * @param written distinct sectors written
 * @param requested loads and stores, reuse within a launch included
 * @param least what must move at least
 */
record Bytes(double read, double written, double requested, double least) {
  static final Bytes NONE = new Bytes(0, 0, 0, 0);

  /** Counts of a whole batch as they are. */
  static Bytes of(Meter.Traffic moved, long least) {
    return new Bytes(
        (double) moved.readBytes(),
        (double) moved.writtenBytes(),
        (double) moved.requestedBytes(),
        (double) least);
  }

  /** Read and written. */
  double counted() {
    return read + written;
  }

  /** Counted over the least; NaN where nothing need move. */
  double ratio() {
    return least == 0 ? Double.NaN : counted() / least;
  }

  Bytes plus(Bytes other) {
    return new Bytes(
        read + other.read,
        written + other.written,
        requested + other.requested,
        least + other.least);
  }
}
