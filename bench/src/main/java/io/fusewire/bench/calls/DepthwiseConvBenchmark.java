// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DType;
import io.fusewire.ops.DepthwiseConv;
import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
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
 * A depthwise convolution of a single pixel: nearly all of its time is the way from Java to the
 * kernel and back.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class DepthwiseConvBenchmark {
  private static final int CHANNELS = 16;

  private Stream stream;
  private DepthwiseConv conv;
  private Tensor src;
  private Tensor weights;
  private Tensor dst;

  /** Called by JMH. */
  public DepthwiseConvBenchmark() {}

  /** Allocates everything that the call needs. */
  @Setup
  public void open() {
    Device device = Device.cpu();
    stream = Stream.open(device).threads(1);
    conv =
        new DepthwiseConv(
            ConvShape.same(1, 1, 1, CHANNELS, CHANNELS, 1, 1), DType.F32, Activation.IDENTITY);
    src = Tensor.allocate(device, DType.F32, 1, 1, 1, CHANNELS).fill(stream, 0);
    weights = Tensor.allocate(device, DType.F32, 1, 1, CHANNELS).fill(stream, 0);
    dst = Tensor.allocate(device, DType.F32, 1, 1, 1, CHANNELS);
  }

  /** One call. */
  @Benchmark
  public void forward() {
    conv.forward(stream, src, weights, null, dst);
  }

  /** Frees everything. */
  @TearDown
  public void close() {
    dst.close();
    weights.close();
    src.close();
    stream.close();
  }
}
