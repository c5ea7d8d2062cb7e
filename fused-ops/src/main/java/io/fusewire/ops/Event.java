// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import java.lang.ref.Cleaner;

/** A mark in a stream, to wait for or to measure time between. */
public final class Event implements AutoCloseable {
  private static final Cleaner CLEANER = Cleaner.create();

  private final Device device;
  private final long handle;
  private final Cleaner.Cleanable cleanable;
  private volatile boolean closed;

  private Event(Device device, long handle) {
    this.device = device;
    this.handle = handle;
    this.cleanable = CLEANER.register(this, () -> Fusewire.fw_event_destroy(handle));
  }

  /**
   * Creates an event.
   *
   * @param device whose streams record it
   * @return a new event, to be closed
   */
  public static Event open(Device device) {
    Checks.notNull("Event.open", "device", device);
    long[] handle = new long[1];
    Status.check(Fusewire.fw_event_create(device.index(), handle));
    return new Event(device, handle[0]);
  }

  long handle() {
    if (closed) {
      throw new IllegalStateException("The event on " + device + " is closed");
    }
    return handle;
  }

  /**
   * Marks the present end of a stream's work.
   *
   * @param stream a stream of the same device
   */
  public void record(Stream stream) {
    Checks.notNull("Event.record", "stream", stream);
    Status.check(Fusewire.fw_event_record(handle(), stream.handle()));
  }

  /** Waits until the recorded work is done. */
  public void synchronize() {
    Status.check(Fusewire.fw_event_synchronize(handle()));
  }

  /**
   * Time from this event to a later one; waits for neither.
   *
   * @param end recorded later
   * @return milliseconds
   */
  public float millisecondsTo(Event end) {
    Checks.notNull("Event.millisecondsTo", "end", end);
    float[] milliseconds = new float[1];
    Status.check(Fusewire.fw_event_elapsed(handle(), end.handle(), milliseconds));
    return milliseconds[0];
  }

  /** Closes the event. Closing twice does nothing. */
  @Override
  public void close() {
    closed = true;
    cleanable.clean();
  }
}
