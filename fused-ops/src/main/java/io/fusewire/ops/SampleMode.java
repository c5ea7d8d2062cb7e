// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/** How a multi-sample-dropout head combines its samples (arXiv 1905.09788). */
public enum SampleMode {
  /** The loss is the mean over samples of the cross-entropy, as in the paper. */
  AVERAGE_LOSSES,
  /** The loss is the cross-entropy of the mean over samples of the logits. */
  AVERAGE_LOGITS;

  int code() {
    return ordinal();
  }
}
