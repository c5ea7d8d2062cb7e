// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.DType;
import io.fusewire.ops.MeanPool;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link MeanPool} for a single pixel. */
public class MeanPoolBenchmark extends CallBenchmark {
  private MeanPool pool;
  private Tensor src;
  private Tensor dst;
  private Tensor workspace;

  /** Called by JMH. */
  public MeanPoolBenchmark() {}

  @Override
  void prepare() {
    pool = new MeanPool(1, 1, CHANNELS, DType.F32);
    src = zeros(1, 1, CHANNELS);
    dst = zeros(1, CHANNELS);
    workspace = workspace(pool.workspaceBytes(stream));
  }

  /** One call. */
  @Benchmark
  public void forward() {
    pool.forward(stream, src, dst, workspace);
  }

  /** One call. */
  @Benchmark
  public void backward() {
    pool.backward(stream, dst, src);
  }
}
