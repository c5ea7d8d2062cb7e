// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

/** Measures how long work that is given to a stream takes there. */
interface Clock extends AutoCloseable {
  /**
   * Gives work to the stream and waits for it.
   *
   * @param queue gives it; need not wait
   * @return seconds
   */
  double seconds(Runnable queue);

  @Override
  void close();
}
