// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import java.util.Arrays;
import java.util.List;

/**
 * What an expansion with its depthwise convolution takes both ways, in nanoseconds.
 *
 * @param stored least time with the expanded tensor stored
 * @param onChip least time with it kept on chip
 * @param usualStored median time with it stored
 * @param usualOnChip median time with it kept on chip
 */
record ExpansionTimes(long stored, long onChip, long usualStored, long usualOnChip) {
  /** Less than this share of the other's time is a win that another run would confirm. */
  private static final double CLEARLY = 0.97;

  ExpansionTimes {
    if (Math.min(Math.min(stored, onChip), Math.min(usualStored, usualOnChip)) <= 0) {
      throw new IllegalArgumentException(
          "no times: " + List.of(stored, onChip, usualStored, usualOnChip));
    }
  }

  /** Sums up runs, at least one of each way. */
  static ExpansionTimes of(long[] stored, long[] onChip) {
    long[] s = stored.clone();
    long[] c = onChip.clone();
    Arrays.sort(s);
    Arrays.sort(c);
    return new ExpansionTimes(s[0], c[0], s[s.length / 2], c[c.length / 2]);
  }

  /**
   * Whether keeping it on chip is clearly faster, at best as well as usually: where other work
   * disturbs the runs, one of the two alone is often wrong.
   */
  boolean onChipWins() {
    return onChip < CLEARLY * stored && usualOnChip < CLEARLY * usualStored;
  }
}
