// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import java.util.Locale;

/** Numbers as people read them. */
final class Quantities {
  private static final String[] BYTE_UNITS = {"B", "KiB", "MiB", "GiB", "TiB"};
  private static final double KIBI = 1024;

  private Quantities() {}

  /** Bytes, such as "13.5 MiB". */
  static String bytes(long bytes) {
    return bytes((double) bytes);
  }

  /** Bytes, such as "13.5 MiB". */
  static String bytes(double bytes) {
    int unit = 0;
    double value = bytes;
    while (value >= KIBI && unit < BYTE_UNITS.length - 1) {
      value /= KIBI;
      unit++;
    }
    return unit == 0 ? count((long) value) + " B" : format("%,.1f %s", value, BYTE_UNITS[unit]);
  }

  /** A whole number with its thousands apart, such as "5,288,548". */
  static String count(long number) {
    return format("%,d", number);
  }

  /** Epochs in numbers and words, such as "4 epochs". */
  static String epochs(int count) {
    return count(count) + (count == 1 ? " epoch" : " epochs");
  }

  /** A duration in seconds, such as "4 min 12 s"; "?" where it is not known. */
  static String duration(double seconds) {
    if (Double.isNaN(seconds) || Double.isInfinite(seconds) || seconds < 0) {
      return "?";
    }
    long whole = Math.round(seconds);
    if (whole < 60) {
      return whole + " s";
    }
    if (whole < 3600) {
      return whole / 60 + " min " + whole % 60 + " s";
    }
    return whole / 3600 + " h " + whole % 3600 / 60 + " min";
  }

  /** A share of 1 as a percentage, such as "91.23 %". */
  static String percent(double share) {
    return Double.isNaN(share) ? "?" : format("%.2f %%", 100 * share);
  }

  /** Formats alike on every machine, whatever its language. */
  static String format(String pattern, Object... values) {
    return String.format(Locale.ROOT, pattern, values);
  }
}
