// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.StepState;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What calls of an operation cost from Java: the problems are so small that nearly all of the time
 * is the way to the kernel and back, on one thread of the CPU.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 300, timeUnit = TimeUnit.MILLISECONDS)
public abstract class CallBenchmark {
  /** Channels of every problem. */
  static final int CHANNELS = 16;

  /** Where the calls run. */
  Stream stream;

  /** What changes from training step to step. */
  StepState step;

  private final Deque<AutoCloseable> opened = new ArrayDeque<>();

  /** Called by JMH. */
  protected CallBenchmark() {}

  /** Opens a stream, then makes what the calls need. */
  @Setup
  public void open() {
    stream = opened(Stream.open(Device.cpu()).threads(1));
    step = opened(new StepState(stream));
    prepare();
  }

  /** Makes the operation and its tensors. */
  abstract void prepare();

  /** An F32 tensor of zeros. */
  final Tensor zeros(long... shape) {
    return zeros(DType.F32, shape);
  }

  /** A tensor of zeros. */
  final Tensor zeros(DType dtype, long... shape) {
    return opened(Tensor.allocate(stream.device(), dtype, shape).fill(stream, 0));
  }

  /** A workspace; null for no bytes. */
  final Tensor workspace(long bytes) {
    return bytes == 0 ? null : zeros(DType.U8, bytes);
  }

  /** Something to close at the end. */
  final <T extends AutoCloseable> T opened(T closeable) {
    opened.push(closeable);
    return closeable;
  }

  /**
   * Frees everything, the last first.
   *
   * @throws Exception if something cannot be closed
   */
  @TearDown
  public void close() throws Exception {
    while (!opened.isEmpty()) {
      opened.pop().close();
    }
  }
}
