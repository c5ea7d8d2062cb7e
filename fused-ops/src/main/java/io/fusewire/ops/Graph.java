// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import java.lang.ref.Cleaner;

/**
 * Operations that {@link Stream#capture} kept, to be launched together again and again: on a GPU
 * for the cost of one launch. A graph holds on to the tensors it uses but does not own them; they
 * must stay open. Launching allocates nothing.
 */
public final class Graph implements AutoCloseable {
  private static final Cleaner CLEANER = Cleaner.create();

  private final Device device;
  private final String name;
  private final long handle;
  private final Tensor[] tensors;
  private final Cleaner.Cleanable cleanable;
  private volatile boolean closed;

  Graph(Device device, String name, long handle, Tensor[] tensors) {
    this.device = device;
    this.name = name;
    this.handle = handle;
    this.tensors = tensors;
    this.cleanable = CLEANER.register(this, () -> Fusewire.fw_graph_destroy(handle));
  }

  private long handle() {
    if (closed) {
      throw new IllegalStateException(this + " is used after it was closed");
    }
    return handle;
  }

  /**
   * Runs the captured operations. On a GPU they are only queued.
   *
   * @param stream a stream of the same device
   * @throws IllegalStateException if a tensor that the graph uses is closed
   * @throws DeviceLostException if the device failed earlier
   */
  public void launch(Stream stream) {
    long to = Checks.stream("Graph.launch", stream);
    long graph = handle();
    for (Tensor tensor : tensors) {
      if (tensor.isClosed()) {
        throw new IllegalStateException(this + " uses a tensor that is closed: " + tensor);
      }
    }
    Status.check(Fusewire.fw_graph_launch(graph, to));
    Checks.reachable(this, stream, null, null);
  }

  /**
   * Number of launches, copies and fills in the graph.
   *
   * @return a count
   */
  public long launches() {
    long[] count = new long[1];
    Status.check(Fusewire.fw_graph_launches(handle(), count));
    return count[0];
  }

  /**
   * The name it was captured under.
   *
   * @return the name
   */
  public String name() {
    return name;
  }

  /** Closes the graph, once it has run. Closing twice does nothing. */
  @Override
  public void close() {
    closed = true;
    cleanable.clean();
  }

  @Override
  public String toString() {
    return "graph \"" + name + "\" on " + device + (closed ? " (closed)" : "");
  }
}
