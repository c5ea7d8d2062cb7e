// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.peer.DeviceCopies;
import io.fusewire.ops.Device;
import io.fusewire.ops.Event;
import io.fusewire.ops.Stream;

/**
 * The device's own clock: events before and after the work, CUDA's on a GPU. Work may be given a
 * head start: the stream is kept busy with copies for so long that the host has queued everything
 * before the first event passes, and what is measured is the device's work alone and not the host's
 * pace.
 */
final class EventClock implements Clock {
  private static final double MILLI = 1e-3;
  private static final double HEAD_START_SECONDS = 3e-3;
  private static final long HEAD_START_BYTES = 256L << 20;
  private static final int MOST_COPIES = 64;

  private final Stream stream;
  private final Event start;
  private final Event end;
  private final DeviceCopies copies;
  private int headStart;

  /**
   * Makes the events.
   *
   * @param headStart whether work is given one; without effect on a CPU, whose calls return when
   *     they are done
   */
  EventClock(Stream stream, boolean headStart) {
    this.stream = stream;
    this.start = Event.open(stream.device());
    this.end = Event.open(stream.device());
    if (headStart && stream.device().kind() == Device.Kind.CUDA) {
      copies = new DeviceCopies(stream, HEAD_START_BYTES, 1);
      between(() -> copies.queue(1));
      double once = between(() -> copies.queue(1));
      this.headStart = (int) Math.min(MOST_COPIES, 1 + HEAD_START_SECONDS / once);
    } else {
      copies = null;
    }
  }

  @Override
  public double seconds(Runnable queue) {
    if (copies != null) {
      copies.queue(headStart);
    }
    return between(queue);
  }

  private double between(Runnable queue) {
    start.record(stream);
    queue.run();
    end.record(stream);
    end.synchronize();
    // The work's own errors; an event's time does not report them.
    stream.synchronize();
    return start.millisecondsTo(end) * MILLI;
  }

  @Override
  public void close() {
    start.close();
    end.close();
    if (copies != null) {
      copies.close();
    }
  }
}
