// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;

/** Gate function of squeeze-and-excite. */
public enum Gate {
  /** 1/(1+exp(-x)). */
  SIGMOID(Fusewire.FW_SIGMOID),
  /** min(max(x/6+1/2, 0), 1). */
  HARD_SIGMOID(Fusewire.FW_HARD_SIGMOID);

  private final int code;

  Gate(int code) {
    this.code = code;
  }

  int code() {
    return code;
  }
}
