// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;

/** Function that an operation applies to its result. */
public enum Activation {
  /** x. */
  IDENTITY(Fusewire.FW_IDENTITY),
  /** x*sigmoid(x), also known as swish (arXiv 1702.03118). */
  SILU(Fusewire.FW_SILU),
  /** max(x, 0). */
  RELU(Fusewire.FW_RELU),
  /** min(max(x, 0), 6). */
  RELU6(Fusewire.FW_RELU6);

  private final int code;

  Activation(int code) {
    this.code = code;
  }

  int code() {
    return code;
  }
}
