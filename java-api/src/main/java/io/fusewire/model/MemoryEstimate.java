// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

/**
 * Bytes on the device that a network needs, by its memory plan.
 *
 * @param batch images at a time
 * @param arenaBytes activations, gradients of activations and workspaces: the plan's peak
 * @param parameterBytes parameters and running statistics, and in training their gradients,
 *     optimizer states and moving average
 */
public record MemoryEstimate(long batch, long arenaBytes, long parameterBytes) {

  /**
   * Everything.
   *
   * @return bytes
   */
  public long totalBytes() {
    return arenaBytes + parameterBytes;
  }
}
