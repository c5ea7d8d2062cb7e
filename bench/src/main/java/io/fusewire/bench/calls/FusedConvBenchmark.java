// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DType;
import io.fusewire.ops.FusedConv;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link FusedConv} for two pixels, the fewest that have a variance. */
public class FusedConvBenchmark extends CallBenchmark {
  private FusedConv operation;
  private Tensor src;
  private Tensor dst;
  private Tensor diffOut;
  private Tensor diffSrc;
  private Tensor weights;
  private Tensor gamma;
  private Tensor beta;
  private Tensor runningMean;
  private Tensor runningVar;
  private Tensor norm;
  private Tensor gradient;
  private Tensor workspace;

  /** Called by JMH. */
  public FusedConvBenchmark() {}

  @Override
  void prepare() {
    operation =
        new FusedConv(
            ConvShape.same(2, 1, 1, CHANNELS, CHANNELS, 1, 1),
            DType.F32,
            Activation.SILU,
            1e-3f,
            0.01f);
    src = zeros(2, 1, 1, CHANNELS);
    dst = zeros(2, 1, 1, CHANNELS);
    diffOut = zeros(2, 1, 1, CHANNELS);
    diffSrc = zeros(2, 1, 1, CHANNELS);
    weights = zeros(CHANNELS, 1, 1, CHANNELS);
    gamma = zeros(CHANNELS);
    beta = zeros(CHANNELS);
    runningMean = zeros(CHANNELS);
    runningVar = zeros(CHANNELS);
    norm = zeros(4, CHANNELS);
    gradient = zeros(2, CHANNELS);
    workspace = workspace(operation.workspaceBytes(stream));
  }

  /** One call. */
  @Benchmark
  public void forward() {
    operation.forward(
        stream, src, norm, weights, gamma, beta, runningMean, runningVar, dst, norm, workspace);
  }

  /** One call. */
  @Benchmark
  public void backwardData() {
    operation.backwardData(
        stream, diffOut, null, dst, norm, gradient, weights, null, diffSrc, workspace);
  }

  /** One call. */
  @Benchmark
  public void backwardWeights() {
    operation.backwardWeights(
        stream, src, norm, diffOut, null, dst, norm, gradient, weights, workspace);
  }
}
