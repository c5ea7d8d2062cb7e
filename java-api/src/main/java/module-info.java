// SPDX-License-Identifier: Apache-2.0

/** The EfficientNet graph: memory plan, training loop, weights and data. */
module io.fusewire {
  requires transitive io.fusewire.ops;
}
