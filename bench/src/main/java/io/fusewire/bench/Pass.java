// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.graph.ExpansionPolicy;
import java.util.Arrays;

/** What of a network is counted. */
enum Pass {
  /** Forward, loss, backward and optimizer. */
  TRAIN("train"),
  /** A forward pass with folded BatchNorm, every expanded tensor stored. */
  INFER("infer"),
  /** The same with every expanded tensor kept on chip. */
  INFER_ON_CHIP("infer-on-chip");

  private final String label;

  Pass(String label) {
    this.label = label;
  }

  /** A pass by its name in cases. */
  static Pass of(String label) {
    return Arrays.stream(values())
        .filter(pass -> pass.label.equals(label))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("there is no pass '" + label + "'"));
  }

  /** The name in cases, such as {@code infer}. */
  String label() {
    return label;
  }

  /** How inference expands. */
  ExpansionPolicy expansions() {
    return this == INFER_ON_CHIP ? ExpansionPolicy.ON_CHIP : ExpansionPolicy.STORED;
  }
}
