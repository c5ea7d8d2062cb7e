// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;

/** How a multi-sample-dropout head combines its samples (arXiv 1905.09788). */
public enum SampleMode {
  /** The loss is the mean over samples of the cross-entropy, as in the paper. */
  AVERAGE_LOSSES(Fusewire.FW_AVERAGE_LOSSES),
  /** The loss is the cross-entropy of the mean over samples of the logits. */
  AVERAGE_LOGITS(Fusewire.FW_AVERAGE_LOGITS);

  private final int code;

  SampleMode(int code) {
    this.code = code;
  }

  int code() {
    return code;
  }
}
