// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;

/**
 * Device memory that one tensor owns, freed exactly once: by {@link #release}, or by the cleaner
 * when the tensor was forgotten. The cleaner's way is a leak and is logged.
 */
final class Allocation implements Runnable {
  /**
   * Set to {@code true}, leaks are reported with the place of the allocation. Costs a stack trace
   * per tensor.
   */
  static final String TRACE_PROPERTY = "fusewire.traceAllocations";

  private static final System.Logger LOG = System.getLogger("io.fusewire.ops");

  private final Device device;
  private final long bytes;
  private final long address;
  private final Throwable origin;
  private boolean released;

  Allocation(Device device, long bytes) {
    this.device = device;
    this.bytes = bytes;
    long[] out = new long[1];
    Status.check(Fusewire.fw_memory_allocate(device.index(), Math.max(bytes, 1), out));
    this.address = out[0];
    this.origin = Boolean.getBoolean(TRACE_PROPERTY) ? new Throwable("allocated here") : null;
  }

  long address() {
    return address;
  }

  /** Frees the memory if that has not been done; says whether it was done now. */
  synchronized boolean release() {
    if (released) {
      return false;
    }
    released = true;
    Status.check(Fusewire.fw_memory_free(device.index(), address));
    return true;
  }

  /** The cleaner's way: frees and reports. */
  @Override
  public void run() {
    if (!release()) {
      return;
    }
    String what =
        "A tensor of " + bytes + " bytes on " + device + " was never closed; it is freed now.";
    if (origin == null) {
      LOG.log(
          System.Logger.Level.WARNING,
          what + " -D" + TRACE_PROPERTY + "=true shows where it was allocated");
    } else {
      LOG.log(System.Logger.Level.WARNING, what, origin);
    }
  }
}
