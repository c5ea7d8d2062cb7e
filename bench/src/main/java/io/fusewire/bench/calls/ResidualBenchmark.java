// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.DType;
import io.fusewire.ops.Residual;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link Residual} for a single pixel. */
public class ResidualBenchmark extends CallBenchmark {
  private Residual residual;
  private Tensor branch;
  private Tensor skip;
  private Tensor dst;

  /** Called by JMH. */
  public ResidualBenchmark() {}

  @Override
  void prepare() {
    residual = new Residual(1, CHANNELS, DType.F32, 0.2f, 1);
    branch = zeros(1, CHANNELS);
    skip = zeros(1, CHANNELS);
    dst = zeros(1, CHANNELS);
  }

  /** One call. */
  @Benchmark
  public void forward() {
    residual.forward(stream, step, branch, skip, dst);
  }

  /** One call. */
  @Benchmark
  public void backward() {
    residual.backward(stream, step, dst, branch);
  }
}
