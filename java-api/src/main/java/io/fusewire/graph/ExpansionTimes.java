// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

/**
 * What an expansion with its depthwise convolution takes, both ways.
 *
 * @param stored nanoseconds with the expanded tensor stored
 * @param onChip nanoseconds with it kept on chip
 */
record ExpansionTimes(long stored, long onChip) {
  /** Less than this share of the other's time is a win that another run would confirm. */
  private static final double CLEARLY = 0.97;

  ExpansionTimes {
    if (stored <= 0 || onChip <= 0) {
      throw new IllegalArgumentException("no times: " + stored + " and " + onChip);
    }
  }

  /** Whether keeping it on chip is clearly faster. */
  boolean onChipWins() {
    return onChip < CLEARLY * stored;
  }
}
