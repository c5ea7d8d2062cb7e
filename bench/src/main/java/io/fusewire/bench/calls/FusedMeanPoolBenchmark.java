// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.FusedMeanPool;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link FusedMeanPool} for a single pixel. */
public class FusedMeanPoolBenchmark extends CallBenchmark {
  private FusedMeanPool operation;
  private Tensor src;
  private Tensor diffSrc;
  private Tensor norm;
  private Tensor pooled;
  private Tensor diffGamma;
  private Tensor diffBeta;
  private Tensor gradient;
  private Tensor workspace;

  /** Called by JMH. */
  public FusedMeanPoolBenchmark() {}

  @Override
  void prepare() {
    operation = new FusedMeanPool(1, 1, CHANNELS, DType.F32, Activation.SILU);
    src = zeros(1, 1, CHANNELS);
    diffSrc = zeros(1, 1, CHANNELS);
    norm = zeros(4, CHANNELS);
    pooled = zeros(1, CHANNELS);
    diffGamma = zeros(CHANNELS);
    diffBeta = zeros(CHANNELS);
    gradient = zeros(2, CHANNELS);
    workspace = workspace(operation.workspaceBytes(stream));
  }

  /** One call. */
  @Benchmark
  public void forward() {
    operation.forward(stream, src, norm, pooled, workspace);
  }

  /** One call. */
  @Benchmark
  public void backward() {
    operation.backward(
        stream, src, norm, pooled, diffSrc, diffGamma, diffBeta, gradient, workspace);
  }
}
