// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;

/**
 * Random numbers by Philox4x32-10 (Salmon et al. 2011): key = seed, counter = (element/4, sample,
 * step, layer). The same numbers come on every device, in any order.
 */
public final class Philox {
  private static final String UNIFORM = "Philox.uniform";

  private Philox() {}

  /**
   * Fills a tensor with uniform numbers in [0, 1): element i is word i%4 of counter (i/4, sample,
   * step, layer), its upper 24 bits times 2^-24.
   *
   * @param stream where it runs
   * @param seed key
   * @param sample second word of the counter
   * @param step third word of the counter
   * @param layer fourth word of the counter
   * @param dst F32, overwritten
   * @throws IllegalArgumentException if dst does not fit
   */
  public static void uniform(
      Stream stream, long seed, int sample, int step, int layer, Tensor dst) {
    long handle = Checks.stream(UNIFORM, stream);
    long address = Checks.tensor(UNIFORM, "dst", dst, stream, DType.F32);
    if (dst.elements() > 0) {
      Status.check(
          Fusewire.fw_random_uniform(handle, seed, sample, step, layer, address, dst.elements()));
    }
    Checks.reachable(dst, null, null, null);
  }
}
