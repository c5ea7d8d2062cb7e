// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;

/** Element type of a tensor. */
public enum DType {
  /** IEEE 754 binary32; the type of all parameters, gradients of parameters and statistics. */
  F32(Fusewire.FW_F32, 4, true),
  /** bfloat16: the upper half of a binary32. A storage type of activations. */
  BF16(Fusewire.FW_BF16, 2, true),
  /** IEEE 754 binary16. A storage type of activations. */
  F16(Fusewire.FW_F16, 2, true),
  /** Signed 32-bit integer: labels. */
  I32(-1, 4, false),
  /** Unsigned 8-bit integer: images, workspaces and raw memory. */
  U8(-1, 1, false);

  private final int code;
  private final int bytes;
  private final boolean activation;

  DType(int code, int bytes, boolean activation) {
    this.code = code;
    this.bytes = bytes;
    this.activation = activation;
  }

  /**
   * Size of one element.
   *
   * @return bytes
   */
  public int bytes() {
    return bytes;
  }

  /**
   * Whether activations can be stored in this type: true for F32, BF16 and F16.
   *
   * @return whether operations accept it as their storage type
   */
  public boolean isFloating() {
    return activation;
  }

  int code() {
    return code;
  }
}
