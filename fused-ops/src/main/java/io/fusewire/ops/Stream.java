// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import java.lang.ref.Cleaner;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;

/**
 * An ordered queue of operations on one device. On a GPU operations are asynchronous; on a CPU each
 * has finished when its call returns. A stream may be used by one thread at a time.
 *
 * <p>An error on a GPU is found when the device is next waited for; the message then names the
 * operations since it was waited for before. With {@code FUSEWIRE_LAUNCH_BLOCKING=1} in the
 * environment every operation waits for itself, and the message names the one.
 */
public final class Stream implements AutoCloseable {
  private static final Cleaner CLEANER = Cleaner.create();

  private final Device device;
  private final long handle;
  private final Cleaner.Cleanable cleanable;
  private volatile int threads;
  private volatile boolean tf32Allowed;
  private volatile boolean closed;
  private Set<Tensor> captured;

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
   * @throws DeviceLostException if the device failed; the message names the operations in question
   * @throws DeviceException if it reported an error that it recovers from
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
   * Allows later operations to make products of F32 tensors on tensor cores, as TF32: pointwise and
   * dense convolutions, their gradients, and the operations that contain one. Not allowed at first.
   *
   * <p>Both factors of each product are then rounded to 10 bits of mantissa, halves away from zero;
   * tensors and sums stay F32. A sum of products a*b is off by at most {@code 2^-10 + 2^-22} times
   * the sum of {@code |a*b|}, besides F32's own rounding and where no factor is subnormal. Factors
   * beyond {@code (2 - 2^-11) * 2^127} become infinite.
   *
   * <p>It takes a GPU of compute capability 8.0 or later. Elsewhere, on a CPU too, products stay
   * F32's. BF16 and F16 are not affected. A graph keeps what was allowed when it was captured.
   *
   * @param allowed whether they may
   * @return this
   */
  public Stream allowTf32(boolean allowed) {
    Status.check(
        Fusewire.fw_stream_set_math(
            handle(), allowed ? Fusewire.FW_MATH_TF32 : Fusewire.FW_MATH_F32));
    tf32Allowed = allowed;
    return this;
  }

  /**
   * Whether {@link #allowTf32(boolean)} allowed TF32.
   *
   * @return what was last set, on devices without TF32 too
   */
  public boolean tf32Allowed() {
    return tf32Allowed;
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

  /**
   * Captures operations into a graph instead of running them. They check their arguments as ever.
   * The graph runs them with the tensors and settings they were given, and reads all else from
   * device memory when it is launched: what {@link StepState} and {@link LossScale} hold may differ
   * from launch to launch. On a GPU this is a CUDA graph; have the operations run once before, so
   * that everything they need is loaded.
   *
   * <p>What waits for the device, copies between it and the host, records events or allocates
   * cannot be captured and is an {@link UnsupportedException}. Whatever {@code work} throws ends
   * the capture; the stream then is as it was before.
   *
   * @param name for messages, such as "training step"
   * @param work calls operations on this stream, and only on this one
   * @return the graph, to be closed
   * @throws UnsupportedException if this stream or this thread captures already, or the work does
   *     what cannot be captured
   */
  public Graph capture(String name, Runnable work) {
    Checks.notNull("Stream.capture", "name", name);
    Checks.notNull("Stream.capture", "work", work);
    Status.check(Fusewire.fw_graph_begin(handle(), name));
    captured = Collections.newSetFromMap(new IdentityHashMap<>());
    boolean whole = false;
    try {
      work.run();
      whole = true;
      long[] graph = new long[1];
      Status.check(Fusewire.fw_graph_end(handle(), graph));
      return new Graph(device, name, graph[0], captured.toArray(Tensor[]::new));
    } finally {
      captured = null;
      if (!whole && !closed) {
        Fusewire.fw_graph_cancel(handle);
      }
    }
  }

  /** An operation uses a tensor: a graph that is captured keeps it and looks after it. */
  void uses(Tensor tensor) {
    if (captured != null) {
      captured.add(tensor.root());
    }
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
