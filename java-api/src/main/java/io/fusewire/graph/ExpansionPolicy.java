// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Block;

/** Which blocks of an inference network expand their channels inside the depthwise kernel. */
interface ExpansionPolicy {
  /** The expanded tensor is stored by a step of its own: more bytes, but less time on a CPU. */
  ExpansionPolicy STORED = block -> false;

  /** The expanded tensor stays on chip: fewer bytes. */
  ExpansionPolicy ON_CHIP = block -> true;

  /** Asked for blocks that expand. */
  boolean onChip(Block block);
}
