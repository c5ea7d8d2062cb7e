// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.FusedPointwise;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link FusedPointwise} for two rows, the fewest that have a variance. */
public class FusedPointwiseBenchmark extends CallBenchmark {
  private FusedPointwise operation;
  private Tensor src;
  private Tensor dst;
  private Tensor diffOut;
  private Tensor diffSrc;
  private Tensor imageScale;
  private Tensor gate;
  private Tensor weights;
  private Tensor diffWeights;
  private Tensor gamma;
  private Tensor beta;
  private Tensor runningMean;
  private Tensor runningVar;
  private Tensor inNorm;
  private Tensor outNorm;
  private Tensor outGradient;
  private Tensor workspace;

  /** Called by JMH. */
  public FusedPointwiseBenchmark() {}

  @Override
  void prepare() {
    operation =
        new FusedPointwise(2, 1, CHANNELS, CHANNELS, DType.F32, Activation.SILU, 1e-3f, 0.01f);
    src = zeros(2, CHANNELS);
    dst = zeros(2, CHANNELS);
    diffOut = zeros(2, CHANNELS);
    diffSrc = zeros(2, CHANNELS);
    imageScale = zeros(2);
    gate = zeros(2, CHANNELS);
    weights = zeros(CHANNELS, CHANNELS);
    diffWeights = zeros(CHANNELS, CHANNELS);
    gamma = zeros(CHANNELS);
    beta = zeros(CHANNELS);
    runningMean = zeros(CHANNELS);
    runningVar = zeros(CHANNELS);
    inNorm = zeros(4, CHANNELS);
    outNorm = zeros(4, CHANNELS);
    outGradient = zeros(2, CHANNELS);
    workspace = workspace(operation.workspaceBytes(stream));
  }

  /** One call. */
  @Benchmark
  public void forward() {
    operation.forward(
        stream,
        src,
        inNorm,
        gate,
        weights,
        gamma,
        beta,
        runningMean,
        runningVar,
        dst,
        outNorm,
        workspace);
  }

  /** One call. */
  @Benchmark
  public void backwardData() {
    operation.backwardData(
        stream, diffOut, imageScale, dst, outNorm, outGradient, weights, null, diffSrc, workspace);
  }

  /** One call. */
  @Benchmark
  public void backwardWeights() {
    operation.backwardWeights(
        stream,
        src,
        inNorm,
        gate,
        diffOut,
        imageScale,
        dst,
        outNorm,
        outGradient,
        diffWeights,
        workspace);
  }

  /** One call. */
  @Benchmark
  public void backward() {
    operation.backward(
        stream,
        src,
        inNorm,
        gate,
        diffOut,
        imageScale,
        dst,
        outNorm,
        outGradient,
        weights,
        null,
        diffSrc,
        diffWeights,
        workspace);
  }
}
