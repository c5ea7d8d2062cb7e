// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.peer.Copies;
import io.fusewire.bench.peer.DeviceCopies;
import io.fusewire.bench.peer.Memcpy;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import java.util.List;
import java.util.Locale;

/**
 * What a device was measured to be able to do: the roof of every operation's speed.
 *
 * @param bandwidth bytes per second, read and written, of a copy far larger than the caches
 * @param copy what made the copy
 * @param peak the fastest product
 */
record Limits(double bandwidth, String copy, Peak peak) {
  private static final long CPU_BYTES = 256L << 20;
  private static final long GPU_BYTES = 1L << 30;
  private static final int RUNS = 7;
  private static final double GIGA = 1e-9;

  /** Measures both. */
  static Limits measure(Stream stream, DType dtype, Clock clock, boolean libtorch)
      throws InterruptedException {
    long bytes = stream.device().kind() == Device.Kind.CUDA ? GPU_BYTES : CPU_BYTES;
    double best = Double.POSITIVE_INFINITY;
    String label;
    try (Copies copies = copies(stream, bytes, 1)) {
      label = copies.label();
      for (int run = 0; run < RUNS; run++) {
        best = Math.min(best, clock.seconds(() -> copies.queue(1)));
      }
    }
    return new Limits(bytes / best, label, Peak.measure(stream, dtype, clock, libtorch));
  }

  /** Copies of so many bytes on a stream's device: the C library's on the CPU. */
  static Copies copies(Stream stream, long bytes, int places) {
    return stream.device().kind() == Device.Kind.CPU
        ? new Memcpy(bytes, Math.max(1, stream.threads()), places)
        : new DeviceCopies(stream, bytes, places);
  }

  Limits withPeak(Peak other) {
    return other.perSecond() > peak.perSecond() ? new Limits(bandwidth, copy, other) : this;
  }

  double bandwidthInGiga() {
    return bandwidth * GIGA;
  }

  double peakInGiga() {
    return peak.perSecond() * GIGA;
  }

  /** The objects of a result file, from which a roofline is drawn. */
  List<Report.Entry> entries(DType dtype) {
    String type = dtype.name().toLowerCase(Locale.ROOT);
    return List.of(
        new Figure("device/copy", "bandwidth", bandwidthInGiga(), "GB/s", null, 0),
        new Figure("device/product/" + type, "throughput", peakInGiga(), "GFLOP/s", null, 0));
  }

  @Override
  public String toString() {
    return String.format(Locale.ROOT, "%.1f GB/s, large %s; %s", bandwidthInGiga(), copy, peak);
  }
}
