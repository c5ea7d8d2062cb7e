// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/** Function that an operation applies to its result. */
public enum Activation {
  /** x. */
  IDENTITY,
  /** x*sigmoid(x), also known as swish (arXiv 1702.03118). */
  SILU,
  /** max(x, 0). */
  RELU,
  /** min(max(x, 0), 6). */
  RELU6;

  int code() {
    return ordinal();
  }
}
