// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.MemoryEstimate;
import io.fusewire.ops.Device;
import io.fusewire.ops.FusewireException;
import java.util.Locale;
import java.util.function.LongFunction;

/** Compares a memory plan with the device before anything is allocated. */
public final class MemoryLimit {
  /** What drivers and allocators keep for themselves. */
  private static final double USABLE = 0.97;

  private MemoryLimit() {}

  /**
   * Memory that a plan may take.
   *
   * @param device where
   * @return bytes
   */
  public static long available(Device device) {
    return (long) (device.freeMemory() * USABLE);
  }

  /**
   * Makes sure that a plan fits.
   *
   * @param what is to be done, such as "training b0 at 224 pixels"
   * @param device where
   * @param available bytes that it may take
   * @param needed its estimate
   * @param parameters what the estimate's parameter bytes are for, such as "weights"
   * @param estimate the estimate for another batch, which grows with the batch
   * @param least the smallest batch there is
   * @throws FusewireException if it does not fit; the message has the plan's numbers and the
   *     largest batch that fits
   */
  public static void check(
      String what,
      Device device,
      long available,
      MemoryEstimate needed,
      String parameters,
      LongFunction<MemoryEstimate> estimate,
      long least) {
    if (needed.totalBytes() <= available) {
      return;
    }
    long low = least - 1;
    long high = needed.batch();
    while (high - low > 1) {
      long middle = (low + high) / 2;
      if (estimate.apply(middle).totalBytes() <= available) {
        low = middle;
      } else {
        high = middle;
      }
    }
    throw new FusewireException(
        String.format(
            Locale.ROOT,
            "%s at batch %d needs %s on %s (%s of activations by the memory plan, %s of %s), where %s are free; %s",
            what,
            needed.batch(),
            gibibytes(needed.totalBytes()),
            device,
            gibibytes(needed.arenaBytes()),
            gibibytes(needed.parameterBytes()),
            parameters,
            gibibytes(available),
            low >= least
                ? "the largest batch that fits is " + low
                : "no batch fits: take a smaller model or resolution"));
  }

  private static String gibibytes(long bytes) {
    return String.format(Locale.ROOT, "%.2f GiB", bytes / (double) (1L << 30));
  }
}
