// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import java.util.Locale;

/** How an image is resampled; always antialiased, as Pillow and torchvision do it. */
public enum Interpolation {
  /** A triangle: two source pixels by two when enlarging, as many more as needed when shrinking. */
  BILINEAR(1) {
    @Override
    public double weight(double distance) {
      return Math.max(0, 1 - Math.abs(distance));
    }
  },
  /** Keys's cubic with a = -0.5: four source pixels by four when enlarging. */
  BICUBIC(2) {
    @Override
    public double weight(double distance) {
      double x = Math.abs(distance);
      if (x < 1) {
        return (1.5 * x - 2.5) * x * x + 1;
      }
      return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
    }
  };

  private final int support;

  Interpolation(int support) {
    this.support = support;
  }

  /**
   * Half the filter's width when enlarging.
   *
   * @return source pixels
   */
  public int support() {
    return support;
  }

  /**
   * The filter.
   *
   * @param distance from its centre, in source pixels when enlarging
   * @return weight before normalisation; 0 beyond {@link #support()}
   */
  public abstract double weight(double distance);

  /**
   * Finds a filter by name.
   *
   * @param name {@code bilinear} or {@code bicubic}, in any case
   * @return the filter
   * @throws IllegalArgumentException if there is none of that name
   */
  public static Interpolation byName(String name) {
    for (Interpolation interpolation : values()) {
      if (interpolation.name().equalsIgnoreCase(name)) {
        return interpolation;
      }
    }
    throw new IllegalArgumentException(
        "there is no interpolation '" + name + "'; there are bilinear and bicubic");
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
