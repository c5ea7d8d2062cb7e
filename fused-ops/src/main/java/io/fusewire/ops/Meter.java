// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import io.fusewire.binding.MeterTraffic;

/**
 * Counts the bytes that operations of a stream of the metered device move between memory and chip.
 * Only memory that is watched is counted. Counted per launch are distinct sectors of 32 bytes: what
 * must move if the chip's caches serve all reuse within a launch, and nothing is left of the launch
 * before. Counts do not depend on the machine.
 */
public final class Meter {
  private final Stream stream;
  private final MeterTraffic traffic;

  /**
   * What moved of some memory.
   *
   * @param readBytes distinct sectors read, summed over launches, in bytes
   * @param writtenBytes distinct sectors written, summed over launches, in bytes
   * @param requestedReadBytes sum of all loads; above {@code readBytes} where caches serve reuse
   * @param requestedWrittenBytes sum of all stores
   */
  public record Traffic(
      long readBytes, long writtenBytes, long requestedReadBytes, long requestedWrittenBytes) {
    /** Nothing. */
    public static final Traffic NONE = new Traffic(0, 0, 0, 0);

    /**
     * Adds up.
     *
     * @param other another count
     * @return the sum
     */
    public Traffic plus(Traffic other) {
      return new Traffic(
          readBytes + other.readBytes,
          writtenBytes + other.writtenBytes,
          requestedReadBytes + other.requestedReadBytes,
          requestedWrittenBytes + other.requestedWrittenBytes);
    }

    /**
     * What moved in either direction.
     *
     * @return bytes read and written, in distinct sectors
     */
    public long bytes() {
      return readBytes + writtenBytes;
    }

    /**
     * What was asked for in either direction.
     *
     * @return bytes of all loads and stores
     */
    public long requestedBytes() {
      return requestedReadBytes + requestedWrittenBytes;
    }
  }

  /**
   * The meter of a stream; there is one, however many objects stand for it.
   *
   * @param stream a stream of {@link Device#metered()}
   * @throws UnsupportedException if the stream's device is another one
   */
  public Meter(Stream stream) {
    long handle = Checks.stream("Meter", stream);
    Status.check(Fusewire.fw_meter_reset(handle));
    this.stream = stream;
    this.traffic = Struct.allocate(MeterTraffic.class, MeterTraffic::new);
  }

  /** Ends all watches and forgets all counts. */
  public void reset() {
    Status.check(Fusewire.fw_meter_reset(Checks.stream("Meter.reset", stream)));
  }

  /**
   * Watches a tensor's memory until the next {@link #reset}. An empty tensor is nothing to watch.
   *
   * @param tensor on the metered device, of whose bytes none is watched yet
   * @param id what to count it as, at least 0; several tensors may share one
   * @throws IllegalArgumentException if a byte is watched already
   */
  public void watch(Tensor tensor, int id) {
    long handle = Checks.stream("Meter.watch", stream);
    Checks.notNull("Meter.watch", "tensor", tensor);
    if (tensor.bytes() > 0) {
      Status.check(Fusewire.fw_meter_watch(handle, tensor.address(), tensor.bytes(), id));
    }
  }

  /**
   * What moved since the last {@link #reset}.
   *
   * @param id one that is watched
   * @return the count
   * @throws IllegalArgumentException if nothing is watched as {@code id}
   */
  public Traffic read(int id) {
    Status.check(Fusewire.fw_meter_read(Checks.stream("Meter.read", stream), id, traffic));
    return new Traffic(
        traffic.read_bytes(),
        traffic.written_bytes(),
        traffic.requested_read_bytes(),
        traffic.requested_written_bytes());
  }

  /**
   * Launches since the last {@link #reset}.
   *
   * @return a count
   */
  public long launches() {
    return unwatched()[0];
  }

  /**
   * Bytes asked for of the device's memory that no watch covers: 0 where nothing was overlooked.
   *
   * @return the sum of all such loads and stores
   */
  public long unwatchedBytes() {
    return unwatched()[1];
  }

  private long[] unwatched() {
    long handle = Checks.stream("Meter", stream);
    long[] launches = new long[1];
    long[] bytes = new long[1];
    Status.check(Fusewire.fw_meter_unwatched(handle, launches, bytes));
    return new long[] {launches[0], bytes[0]};
  }
}
