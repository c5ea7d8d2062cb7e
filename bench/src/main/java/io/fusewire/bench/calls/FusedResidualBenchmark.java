// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.FusedResidual;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link FusedResidual} for a single pixel. */
public class FusedResidualBenchmark extends CallBenchmark {
  private FusedResidual operation;
  private Tensor branch;
  private Tensor skip;
  private Tensor dst;
  private Tensor norm;
  private Tensor skipNorm;
  private Tensor imageScale;

  /** Called by JMH. */
  public FusedResidualBenchmark() {}

  @Override
  void prepare() {
    operation =
        new FusedResidual(
            1,
            1,
            CHANNELS,
            DType.F32,
            Activation.IDENTITY,
            Activation.IDENTITY,
            Activation.RELU,
            0.5f,
            1);
    branch = zeros(1, 1, CHANNELS);
    skip = zeros(1, 1, CHANNELS);
    dst = zeros(1, 1, CHANNELS);
    norm = zeros(4, CHANNELS);
    skipNorm = zeros(4, CHANNELS);
    imageScale = zeros(1);
  }

  /** One call. */
  @Benchmark
  public void scales() {
    operation.scales(stream, step, imageScale);
  }

  /** One call. */
  @Benchmark
  public void forward() {
    operation.forward(stream, branch, norm, imageScale, skip, skipNorm, dst);
  }

  /** One call. */
  @Benchmark
  public void backward() {
    operation.backward(stream, dst, branch, skip);
  }
}
