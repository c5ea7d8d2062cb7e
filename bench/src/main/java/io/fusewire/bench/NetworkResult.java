// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import java.util.ArrayList;
import java.util.List;

/**
 * What was measured of a network at one batch size.
 *
 * @param name the case, such as {@code b0@224/train-step/batch128/bf16}
 * @param batch images
 * @param bytes what the plan's values, and the parameters, take to be read and written
 * @param operations floating-point operations of convolutions and products
 * @param error of our results against the CPU's in f32; NaN where there is none
 * @param ourBytes the memory of the device that we had
 * @param races at least one: with nobody, or one with every peer
 * @param limits what the device can do
 */
record NetworkResult(
    String name,
    int batch,
    double bytes,
    double operations,
    double error,
    long ourBytes,
    List<Race> races,
    Limits limits) {
  private static final double GIGA = 1e-9;
  private static final double MEGA = 1e-6;

  /**
   * One interleaved run.
   *
   * @param ours our time
   * @param theirs a peer's; null for nobody
   * @param theirBytes the memory of the device that it had; NaN if that is not known
   */
  record Race(Timing ours, PeerTime theirs, double theirBytes) {}

  NetworkResult {
    races = List.copyOf(races);
  }

  /** Times, one for each race. */
  List<Measurement> measurements() {
    List<Measurement> measurements = new ArrayList<>();
    for (Race race : races) {
      measurements.add(
          new Measurement(name, "time", race.ours(), race.theirs(), Double.NaN, error));
    }
    return measurements;
  }

  /** What follows from the times, and memory. */
  List<Figure> figures() {
    List<Figure> figures = new ArrayList<>();
    double seconds = races.get(0).ours().median();
    List<Race> compared =
        races.stream().filter(r -> r.theirs() != null && r.theirs().timing() != null).toList();
    for (Race race : compared) {
      double theirs = batch / race.theirs().timing().median();
      figures.add(images(batch / race.ours().median(), race.theirs().name(), theirs));
    }
    if (compared.isEmpty()) {
      figures.add(images(batch / seconds, null, 0));
    }
    figures.add(
        new Figure(
            name,
            "bandwidth",
            bytes / seconds * GIGA,
            "GB/s",
            "large " + limits.copy(),
            limits.bandwidthInGiga()));
    figures.add(
        new Figure(
            name,
            "throughput",
            operations / seconds * GIGA,
            "GFLOP/s",
            "measured peak",
            limits.peakInGiga()));
    for (Race race : races) {
      if (Double.isFinite(race.theirBytes())) {
        figures.add(
            new Figure(
                name,
                "peak memory",
                ourBytes * MEGA,
                "MB",
                race.theirs().name(),
                race.theirBytes() * MEGA));
      }
    }
    if (races.stream().noneMatch(race -> Double.isFinite(race.theirBytes()))) {
      figures.add(new Figure(name, "peak memory", ourBytes * MEGA, "MB", null, 0));
    }
    return figures;
  }

  private Figure images(double ours, String peer, double theirs) {
    return new Figure(name, "images", ours, "images/s", peer, theirs);
  }
}
