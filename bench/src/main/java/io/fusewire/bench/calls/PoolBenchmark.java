// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.Pool;
import io.fusewire.ops.PoolKind;
import io.fusewire.ops.PoolShape;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link Pool} for a single pixel. */
public class PoolBenchmark extends CallBenchmark {
  private Pool operation;
  private Tensor src;
  private Tensor dst;
  private Tensor diffSrc;
  private Tensor norm;

  /** Called by JMH. */
  public PoolBenchmark() {}

  @Override
  void prepare() {
    operation =
        new Pool(
            PoolShape.symmetric(1, 1, 1, CHANNELS, 3, 2, 1),
            PoolKind.MAX,
            DType.F32,
            Activation.RELU);
    src = zeros(1, 1, 1, CHANNELS);
    dst = zeros(1, 1, 1, CHANNELS);
    diffSrc = zeros(1, 1, 1, CHANNELS);
    norm = zeros(4, CHANNELS);
  }

  /** One call. */
  @Benchmark
  public void forward() {
    operation.forward(stream, src, norm, dst);
  }

  /** One call. */
  @Benchmark
  public void backward() {
    operation.backward(stream, src, norm, dst, null, diffSrc);
  }
}
