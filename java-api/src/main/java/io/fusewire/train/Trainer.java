// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import java.io.IOException;

/**
 * Trains a network: everything between a {@link TrainConfig} and a run's directory. One run per
 * trainer.
 */
public final class Trainer {
  /**
   * Prepares a run; nothing is opened yet.
   *
   * @param config what to do; copied
   * @param listener is told how it goes
   */
  public Trainer(TrainConfig config, ProgressListener listener) {}

  /**
   * Trains until the last epoch or {@link #stop}.
   *
   * @return what the run left
   * @throws IOException if data cannot be read or results cannot be written; the last whole
   *     checkpoint stays
   * @throws IllegalArgumentException if the options do not fit each other or the data
   * @throws io.fusewire.ops.FusewireException if the device fails or has too little memory
   */
  public TrainResult run() throws IOException {
    throw new UnsupportedOperationException();
  }

  /**
   * Asks the run to stop after the current step and leave a checkpoint. May be called from any
   * thread, also from a shutdown hook; {@link #run} then returns soon.
   */
  public void stop() {}
}
