// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import java.util.Locale;

/** What of a network stays as its initial weights have it. */
public enum Freeze {
  /** Nothing: everything is trained. */
  NONE,
  /**
   * All but the classifier, BatchNorm's statistics included. The features run as inference does and
   * have no backward pass.
   */
  FEATURES;

  /**
   * Finds one by name.
   *
   * @param name {@code none} or {@code features}
   * @return what is frozen
   * @throws IllegalArgumentException if there is none of that name; the message lists those there
   *     are
   */
  public static Freeze byName(String name) {
    return Names.find(Freeze.class, "part to freeze called", name);
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
