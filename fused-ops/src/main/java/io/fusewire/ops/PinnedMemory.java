// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.javacpp.BytePointer;

/**
 * Host memory that a GPU reads by itself while it computes, see {@link Tensor#copyFromAsync}. It is
 * an ordinary direct buffer of the JVM, so it stays valid for as long as anybody holds it; closing
 * this object only ends its use by the device.
 */
public final class PinnedMemory implements AutoCloseable {
  /** Pages are pinned whole, so that a piece must have its pages for itself. */
  private static final int PAGE = 4096;

  private static final Cleaner CLEANER = Cleaner.create();

  /** Ends the pinning; keeps the memory until then. */
  private record Pin(Device device, ByteBuffer memory, long address) implements Runnable {
    @Override
    public void run() {
      Fusewire.fw_host_unpin(device.index(), address);
    }
  }

  private final Device device;
  private final ByteBuffer buffer;
  private final long address;
  private final Cleaner.Cleanable cleanable;
  private volatile boolean closed;

  private PinnedMemory(Device device, ByteBuffer buffer, Pin pin) {
    this.device = device;
    this.buffer = buffer;
    this.address = pin.address();
    this.cleanable = CLEANER.register(this, pin);
  }

  /**
   * Allocates host memory and pins it for a device; on a CPU there is nothing to pin.
   *
   * @param device the device that is to read it
   * @param bytes its size, at least 1 and less than 2^31-8192
   * @return the memory, zeroed, to be closed
   * @throws DeviceMemoryException if the device cannot pin so much
   */
  public static PinnedMemory allocate(Device device, long bytes) {
    String operation = "PinnedMemory.allocate";
    Checks.notNull(operation, "device", device);
    long most = Integer.MAX_VALUE - 2L * PAGE;
    if (bytes < 1 || bytes > most) {
      throw new IllegalArgumentException(
          operation + ": bytes is " + bytes + ", 1 to " + most + " fit");
    }
    int pages = Math.toIntExact((bytes + PAGE - 1) / PAGE);
    ByteBuffer memory = ByteBuffer.allocateDirect((pages + 1) * PAGE).alignedSlice(PAGE);
    long address = new BytePointer(memory).address();
    Status.check(Fusewire.fw_host_pin(device.index(), address, (long) pages * PAGE));
    ByteBuffer part = memory.slice(0, (int) bytes).order(ByteOrder.nativeOrder());
    return new PinnedMemory(device, part, new Pin(device, memory, address));
  }

  /**
   * The memory.
   *
   * @return a buffer of its own position and limit over the whole of it, in the host's byte order
   */
  public ByteBuffer buffer() {
    return buffer.duplicate().order(ByteOrder.nativeOrder());
  }

  /**
   * Size of the memory.
   *
   * @return bytes
   */
  public long bytes() {
    return buffer.capacity();
  }

  /**
   * The device it is pinned for.
   *
   * @return the device
   */
  public Device device() {
    return device;
  }

  long address() {
    if (closed) {
      throw new IllegalStateException(this + " is used after it was closed");
    }
    return address;
  }

  /** Waits for the device's work and unpins the memory. Closing twice does nothing. */
  @Override
  public void close() {
    closed = true;
    cleanable.clean();
  }

  @Override
  public String toString() {
    return bytes() + " bytes pinned for " + device + (closed ? " (closed)" : "");
  }
}
