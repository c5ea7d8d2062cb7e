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

  /** Summarises runs, in seconds; NaN if one of them is. */
  static Timing of(double[] seconds) {
    double[] sorted = seconds.clone();
    Arrays.sort(sorted);
    if (sorted.length == 0 || Double.isNaN(sorted[sorted.length - 1])) {
      return new Timing(Double.NaN, Double.NaN, Double.NaN, 0);
    }
    return new Timing(
        percentile(sorted, 0.5), percentile(sorted, 0.2), percentile(sorted, 0.8), sorted.length);
  }

  /** The timing of one of several equal parts of every run. */
  Timing dividedBy(int parts) {
    return new Timing(median / parts, low / parts, high / parts, runs);
  }

  /** Whether every run was made. */
  boolean complete() {
    return Double.isFinite(median);
  }

  /** Linear between the two nearest runs. */
  private static double percentile(double[] sorted, double share) {
    double at = share * (sorted.length - 1);
    int below = (int) at;
    int above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
  }
}
