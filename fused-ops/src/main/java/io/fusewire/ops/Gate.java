// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/** Gate function of squeeze-and-excite. */
public enum Gate {
  /** 1/(1+exp(-x)). */
  SIGMOID,
  /** min(max(x/6+1/2, 0), 1). */
  HARD_SIGMOID;

  int code() {
    return ordinal();
  }
}
