// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Stream;
import java.util.List;
import java.util.Set;

/**
 * Which blocks of an inference network expand their channels inside the depthwise kernel, so that
 * the expanded tensor is never stored. Both ways compute the same but for rounding.
 */
@FunctionalInterface
public interface ExpansionPolicy {
  /** Every expanded tensor is stored by a step of its own. */
  ExpansionPolicy STORED = (stream, expansions) -> Set.of();

  /** Every expanded tensor stays on chip: the fewest bytes, not everywhere the least time. */
  ExpansionPolicy ON_CHIP = (stream, expansions) -> Set.copyOf(expansions);

  /**
   * Whichever way is faster: every size that this device has not measured yet, with this number of
   * threads, runs a few times both ways, which takes as long as a few inferences. What was measured
   * is kept in memory and in {@code expansions.json} in the {@link io.fusewire.io.CacheFolder}, for
   * this build of the native library; a file that cannot be read or written is logged and otherwise
   * does not matter. On devices whose time means nothing (checked, metered) all are stored.
   *
   * <p>Since a close race can end either way, two networks that measure may differ in the last
   * bits, unless the file has the sizes already. Where bits must repeat, take one of the others.
   *
   * @return a policy for use by any number of threads, which then wait for each other
   */
  static ExpansionPolicy measured() {
    return MeasuredExpansions.shared();
  }

  /**
   * Decides for a network.
   *
   * @param stream where the network is going to run
   * @param expansions those of its blocks, each size once
   * @return those that are made on chip
   */
  Set<Expansion> onChip(Stream stream, List<Expansion> expansions);
}
