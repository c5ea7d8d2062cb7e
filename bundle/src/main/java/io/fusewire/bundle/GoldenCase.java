// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.ops.Stream;
import java.util.Map;

/** A computation that depends on nothing but its name, so that its results can be kept. */
interface GoldenCase {
  /** Such as {@code layer/bf16/FusedDepthwise.backward}. */
  String name();

  /** Whether it is quick even where every access is watched. */
  boolean tiny();

  /** How far another device's results may be from the golden ones of {@link #reference}. */
  Closeness closeness();

  /**
   * The case whose results these come close to: this one, or the same in F32. Against another, the
   * error may be three times that of this case's own golden results: long chains of operations that
   * round to 16 bits are near the truth, not near each other.
   */
  default String reference() {
    return name();
  }

  /**
   * Computes the results.
   *
   * @param stream where it runs; nothing is left allocated
   * @return values by name, {@code group/name} in networks, always in the same order
   */
  Map<String, float[]> run(Stream stream);
}
