// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import java.lang.ref.Cleaner;

/**
 * An ordered queue of operations on one device. On a GPU operations are asynchronous; on a CPU each
 * has finished when its call returns. A stream may be used by one thread at a time.
 */
public final class Stream implements AutoCloseable {
  private static final Cleaner CLEANER = Cleaner.create();

  private final Device device;
  private final long handle;
  private final Cleaner.Cleanable cleanable;
  private volatile int threads;
  private volatile boolean closed;

  private Stream(Device device, long handle) {
    this.device = device;
    this.handle = handle;
    this.cleanable = CLEANER.register(this, () -> Fusewire.fw_stream_destroy(handle));
  }

  /**
   * Opens a stream.
   *
   * @param device where its operations run
   * @return a new stream, to be closed
   * @throws FusewireException if the device refuses
   */
  public static Stream open(Device device) {
    Checks.notNull("Stream.open", "device", device);
    long[] handle = new long[1];
    Status.check(Fusewire.fw_stream_create(device.index(), handle));
    return new Stream(device, handle[0]);
  }

  /**
   * The device this stream's operations run on.
   *
   * @return the device
   */
  public Device device() {
    return device;
  }

  long handle() {
    if (closed) {
      throw new IllegalStateException("The stream on " + device + " is closed");
    }
    return handle;
  }

  /**
   * Waits until all work given to the stream is done.
   *
   * @throws DeviceException if the device reported an error since the stream was opened; the
   *     message names the operation
   */
  public void synchronize() {
    Status.check(Fusewire.fw_stream_synchronize(handle()));
  }

  /**
   * Sets how many threads an operation may use on a CPU. Results do not depend on it. Ignored on a
   * GPU.
   *
   * @param threads number of threads, 0 for all cores
   * @return this
   * @throws IllegalArgumentException if negative
   */
  public Stream threads(int threads) {
    Status.check(Fusewire.fw_stream_set_threads(handle(), threads));
    this.threads = threads;
    return this;
  }

  /**
   * How many threads an operation may use on a CPU, as {@link #threads(int)} set it.
   *
   * @return number of threads, 0 for all cores
   */
  public int threads() {
    return threads;
  }

  /**
   * Sets the order in which a checked device runs the threads of a block. Results do not depend on
   * it. Ignored on other devices.
   *
   * @param order 0 ascending, 1 descending, anything else is a seed
   * @return this
   */
  public Stream order(long order) {
    Status.check(Fusewire.fw_stream_set_order(handle(), order));
    return this;
  }

  /**
   * Lets later work of this stream wait for what an event recorded.
   *
   * @param event an event of the same device
   */
  public void waitFor(Event event) {
    Checks.notNull("Stream.waitFor", "event", event);
    Status.check(Fusewire.fw_stream_wait(handle(), event.handle()));
  }

  /** Waits for the stream's work and closes it. Closing twice does nothing. */
  @Override
  public void close() {
    closed = true;
    cleanable.clean();
  }

  @Override
  public String toString() {
    return "Stream(" + device + (closed ? ", closed)" : ")");
  }
}
