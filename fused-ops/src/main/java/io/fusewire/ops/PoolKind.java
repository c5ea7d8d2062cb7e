// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;

/** What {@link Pool} makes of a window. */
public enum PoolKind {
  /** Its largest value; padding counts as minus infinity. */
  MAX(Fusewire.FW_POOL_MAX),
  /** The mean of its pixels inside; padding is not counted. */
  AVERAGE(Fusewire.FW_POOL_AVERAGE);

  private final int code;

  PoolKind(int code) {
    this.code = code;
  }

  int code() {
    return code;
  }
}
