// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

/**
 * How far results are from a reference, the worst over all of an operation's results.
 *
 * @param relative 2-norm of the difference over the 2-norm of the reference
 * @param largest largest difference over the largest absolute value of the reference
 */
public record Difference(double relative, double largest) {
  static final Difference NONE = new Difference(0, 0);

  /** Compares values one by one; a NaN among them makes both numbers NaN. */
  static Difference of(float[] values, float[] reference) {
    if (values.length != reference.length) {
      throw new IllegalArgumentException(
          values.length + " values against " + reference.length + " of the reference");
    }
    double difference = 0;
    double norm = 0;
    double largest = 0;
    double scale = 0;
    for (int i = 0; i < values.length; i++) {
      double error = (double) values[i] - reference[i];
      difference += error * error;
      norm += (double) reference[i] * reference[i];
      largest = Math.max(largest, Math.abs(error));
      scale = Math.max(scale, Math.abs(reference[i]));
    }
    return new Difference(Math.sqrt(difference / norm), largest / scale);
  }

  /** The larger of two, number by number; NaN if one is. */
  Difference or(Difference other) {
    return new Difference(Math.max(relative, other.relative), Math.max(largest, other.largest));
  }
}
