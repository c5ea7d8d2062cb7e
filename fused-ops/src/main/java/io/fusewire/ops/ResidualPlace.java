// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/** Where a convolution's epilogue adds a residual. */
public enum ResidualPlace {
  /** dst = act(raw) + residual, as in an inverted residual block. */
  AFTER_ACTIVATION(0),
  /** dst = act(raw + residual), as in a residual network (arXiv 1512.03385). */
  BEFORE_ACTIVATION(1);

  private final int code;

  ResidualPlace(int code) {
    this.code = code;
  }

  int code() {
    return code;
  }
}
