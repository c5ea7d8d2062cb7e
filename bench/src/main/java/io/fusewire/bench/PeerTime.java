// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

/**
 * What a peer took, or why it took no part.
 *
 * @param name such as {@code pytorch compile}
 * @param timing of one call; null if it took no part
 * @param reason why not; null if it did
 */
record PeerTime(String name, Timing timing, String reason) {
  /** A peer that was measured to the end, or the reason why not. */
  static PeerTime of(String name, Timing timing, String reason) {
    return timing.complete()
        ? new PeerTime(name, timing, null)
        : new PeerTime(name, null, reason.isEmpty() ? "it gave no time" : reason);
  }

  /** One that could not even begin. */
  static PeerTime missing(String name, String reason) {
    return new PeerTime(name, null, reason);
  }
}
