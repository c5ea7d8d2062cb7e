// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

/** So many of so many. */
final class Tally {
  private long good;
  private long all;

  void count(boolean isGood) {
    good += isGood ? 1 : 0;
    all++;
  }

  long good() {
    return good;
  }

  boolean whole() {
    return good == all;
  }

  @Override
  public String toString() {
    return good + "/" + all;
  }
}
