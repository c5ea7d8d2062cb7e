// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.ops.DeviceLostException;
import io.fusewire.ops.FusewireException;
import java.nio.file.Path;

/**
 * A training run ended because its device was lost, with what was in the device's memory. The last
 * checkpoint is whole, and another process goes on from it.
 */
public final class RunLostException extends FusewireException {
  private static final long serialVersionUID = 1L;

  private final transient Path checkpoint;

  RunLostException(DeviceLostException cause, long step, Path checkpoint, long checkpointStep) {
    super(
        "the device was lost after step %d: %s. %s"
            .formatted(
                step,
                cause.getMessage(),
                checkpoint == null
                    ? "No checkpoint had been written yet"
                    : "The last checkpoint, of step %d, is %s"
                        .formatted(checkpointStep, checkpoint)),
        cause);
    this.checkpoint = checkpoint;
  }

  /**
   * The last checkpoint of the run.
   *
   * @return {@code checkpoint.safetensors}; null if none had been written
   */
  public Path checkpoint() {
    return checkpoint;
  }
}
