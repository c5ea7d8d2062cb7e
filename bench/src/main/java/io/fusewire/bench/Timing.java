// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import java.util.Arrays;

/**
 * What a contender's runs took.
 *
 * @param median in seconds
 * @param low 20th percentile in seconds
 * @param high 80th percentile in seconds
 * @param runs how many runs there were
 */
record Timing(double median, double low, double high, int runs) {

  /** Summarises runs, in seconds. */
  static Timing of(double[] seconds) {
    double[] sorted = seconds.clone();
    Arrays.sort(sorted);
    return new Timing(
        percentile(sorted, 0.5), percentile(sorted, 0.2), percentile(sorted, 0.8), sorted.length);
  }

  /** The timing of one of several equal parts of every run. */
  Timing dividedBy(int parts) {
    return new Timing(median / parts, low / parts, high / parts, runs);
  }

  /** Linear between the two nearest runs. */
  private static double percentile(double[] sorted, double share) {
    double at = share * (sorted.length - 1);
    int below = (int) at;
    int above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
  }
}
