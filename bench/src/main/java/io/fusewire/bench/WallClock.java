// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.ops.Stream;

/** The host's clock, from before the work is given to a stream until the stream has done it. */
final class WallClock implements Clock {
  private static final double NANO = 1e-9;

  private final Stream stream;

  WallClock(Stream stream) {
    this.stream = stream;
  }

  @Override
  public double seconds(Runnable queue) {
    long start = System.nanoTime();
    queue.run();
    stream.synchronize();
    return (System.nanoTime() - start) * NANO;
  }

  @Override
  public void close() {}
}
