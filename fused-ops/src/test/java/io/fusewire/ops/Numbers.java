// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.util.Random;

/** Test data, and how results are compared. */
final class Numbers {
  private Numbers() {}

  /**
   * Small whole numbers from -magnitude to magnitude, few of them 0: sums of their products are
   * exact in F32.
   */
  static double[] integers(Random random, long count, int magnitude) {
    double[] values = new double[Math.toIntExact(count)];
    for (int i = 0; i < values.length; i++) {
      int value = 1 + random.nextInt(magnitude);
      values[i] = random.nextInt(16) == 0 ? 0 : random.nextBoolean() ? value : -value;
    }
    return values;
  }

  /** Normally distributed numbers that the storage type can represent. */
  static double[] reals(Random random, DType dtype, long count) {
    double[] values = new double[Math.toIntExact(count)];
    for (int i = 0; i < values.length; i++) {
      values[i] = round(dtype, random.nextGaussian());
    }
    return values;
  }

  static double[] scaled(double[] values, double factor, DType dtype) {
    double[] scaled = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      scaled[i] = round(dtype, values[i] * factor);
    }
    return scaled;
  }

  static float[] floats(double[] values) {
    float[] floats = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      floats[i] = (float) values[i];
    }
    return floats;
  }

  static double[] doubles(float[] values) {
    double[] doubles = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      doubles[i] = values[i];
    }
    return doubles;
  }

  /** The nearest value of a storage type. */
  static double round(DType dtype, double value) {
    return dtype == DType.F32
        ? (float) value
        : Float16.widen(dtype, Float16.round(dtype, (float) value));
  }

  /** Bit for bit, after rounding the expectation to the storage type. */
  static void assertExact(String what, DType dtype, double[] expected, double[] actual) {
    assertEquals(expected.length, actual.length, what + ": number of elements");
    for (int i = 0; i < expected.length; i++) {
      double rounded = round(dtype, expected[i]);
      if (!(rounded == actual[i])) {
        fail(what + ": element " + i + " is " + actual[i] + ", expected exactly " + rounded);
      }
    }
    assertTrusted(what, expected);
  }

  /** A result that is mostly zeros proves little. */
  static void assertTrusted(String what, double[] values) {
    int zeros = 0;
    for (double value : values) {
      zeros += value == 0 ? 1 : 0;
    }
    assertTrue(
        values.length < 8 || zeros <= values.length * 3 / 4,
        what + ": mistrusted, " + zeros + " of " + values.length + " expected values are 0");
  }

  /** Forward results: rule of two. */
  static void assertForward(String what, DType dtype, double[] expected, double[] actual) {
    assertClose(what, dtype, expected, actual, 2);
  }

  /** Gradients: rule of three. */
  static void assertBackward(String what, DType dtype, double[] expected, double[] actual) {
    assertClose(what, dtype, expected, actual, 3);
  }

  /**
   * Compares with a double-precision reference. The error's norm may be {@code rule} times that of
   * the reference itself stored in the type, plus what accumulating in F32 costs; every element
   * must be within the type's tolerance as well.
   */
  private static void assertClose(
      String what, DType dtype, double[] expected, double[] actual, int rule) {
    assertEquals(expected.length, actual.length, what + ": number of elements");
    double relative = dtype == DType.BF16 ? 1.6e-2 : dtype == DType.F16 ? 1e-3 : 1.3e-6;
    double largest = 0;
    double norm = 0;
    double error = 0;
    double plain = 0;
    for (int i = 0; i < expected.length; i++) {
      norm += expected[i] * expected[i];
      largest = Math.max(largest, Math.abs(expected[i]));
      error += square(actual[i] - expected[i]);
      plain += dtype == DType.F32 ? 0 : square(round(dtype, expected[i]) - expected[i]);
    }
    for (int i = 0; i < expected.length; i++) {
      double tolerance = 1e-5 * Math.max(1, largest) + relative * rule / 2 * Math.abs(expected[i]);
      if (!(Math.abs(actual[i] - expected[i]) <= tolerance)) {
        fail(
            what
                + ": element "
                + i
                + " is "
                + actual[i]
                + ", expected "
                + expected[i]
                + " within "
                + tolerance);
      }
    }
    double limit = rule * Math.sqrt(plain) + rule / 2.0 * 1.3e-6 * Math.sqrt(norm) + 1e-30;
    if (!(Math.sqrt(error) <= limit)) {
      fail(
          what
              + ": relative error "
              + Math.sqrt(error / norm)
              + " exceeds "
              + limit / Math.sqrt(norm));
    }
    assertTrusted(what, expected);
  }

  /**
   * Gradients that are small differences of larger sums: the error counts against the norm, 1e-5 of
   * it for F32 and the rule of three for the storage types.
   */
  static void assertGradient(String what, DType dtype, double[] expected, double[] actual) {
    assertEquals(expected.length, actual.length, what + ": number of elements");
    double norm = 0;
    double error = 0;
    double plain = 0;
    for (int i = 0; i < expected.length; i++) {
      norm += square(expected[i]);
      error += square(actual[i] - expected[i]);
      plain += square(round(dtype, expected[i]) - expected[i]);
    }
    double limit = 3 * Math.sqrt(plain) + 1e-5 * Math.sqrt(norm) + 1e-6;
    if (!(Math.sqrt(error) <= limit)) {
      fail(
          what
              + ": error "
              + Math.sqrt(error)
              + " exceeds "
              + limit
              + " at norm "
              + Math.sqrt(norm));
    }
  }

  private static double square(double value) {
    return value * value;
  }

  static double[] sum(double[] a, double[] b) {
    double[] sum = new double[a.length];
    for (int i = 0; i < a.length; i++) {
      sum[i] = a[i] + b[i];
    }
    return sum;
  }
}
