// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/**
 * Memory for operations that need some while they run, grown to the largest that was reserved.
 * Reserve for every operation when a network is built; then {@link #tensor} serves them all, one at
 * a time.
 */
public final class Workspace implements AutoCloseable {
  private final Device device;
  private Tensor tensor;
  private boolean closed;

  /**
   * Creates an empty workspace.
   *
   * @param device where its memory is to be
   */
  public Workspace(Device device) {
    Checks.notNull("Workspace", "device", device);
    this.device = device;
  }

  /**
   * Makes sure that there are at least as many bytes as given. What {@link #tensor} gave before may
   * be closed by this, so no operation that uses it may be running.
   *
   * @param bytes such as an operation's {@code workspaceBytes}
   * @return this
   */
  public Workspace reserve(long bytes) {
    if (closed) {
      throw new IllegalStateException("The workspace on " + device + " is closed");
    }
    Checks.notNegative("Workspace.reserve", "bytes", bytes);
    if (bytes > bytes()) {
      if (tensor != null) {
        tensor.close();
        tensor = null;
      }
      tensor = Tensor.allocate(device, DType.U8, bytes);
    }
    return this;
  }

  /**
   * The memory, to be passed to operations.
   *
   * @return a U8 tensor of {@link #bytes} bytes, or null while nothing has been reserved
   */
  public Tensor tensor() {
    if (closed) {
      throw new IllegalStateException("The workspace on " + device + " is closed");
    }
    return tensor;
  }

  /**
   * Size of the memory.
   *
   * @return bytes
   */
  public long bytes() {
    return tensor == null ? 0 : tensor.bytes();
  }

  /** Frees the memory. Closing twice does nothing. */
  @Override
  public void close() {
    closed = true;
    if (tensor != null) {
      tensor.close();
      tensor = null;
    }
  }
}
