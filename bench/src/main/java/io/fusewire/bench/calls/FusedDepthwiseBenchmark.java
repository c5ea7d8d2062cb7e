// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DType;
import io.fusewire.ops.FusedDepthwise;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link FusedDepthwise} for two pixels, the fewest that have a variance. */
public class FusedDepthwiseBenchmark extends CallBenchmark {
  private FusedDepthwise operation;
  private Tensor src;
  private Tensor dst;
  private Tensor diff;
  private Tensor diffSrc;
  private Tensor weights;
  private Tensor diffWeights;
  private Tensor gamma;
  private Tensor beta;
  private Tensor runningMean;
  private Tensor runningVar;
  private Tensor inNorm;
  private Tensor outNorm;
  private Tensor inGradient;
  private Tensor outGradient;
  private Tensor gate;
  private Tensor poolGradient;
  private Tensor workspace;

  /** Called by JMH. */
  public FusedDepthwiseBenchmark() {}

  @Override
  void prepare() {
    operation =
        new FusedDepthwise(
            ConvShape.same(2, 1, 1, CHANNELS, CHANNELS, 1, 1),
            DType.F32,
            Activation.SILU,
            Activation.SILU,
            1e-3f,
            0.01f);
    src = zeros(2, 1, 1, CHANNELS);
    dst = zeros(2, 1, 1, CHANNELS);
    diff = zeros(2, 1, 1, CHANNELS);
    diffSrc = zeros(2, 1, 1, CHANNELS);
    weights = zeros(1, 1, CHANNELS);
    diffWeights = zeros(1, 1, CHANNELS);
    gamma = zeros(CHANNELS);
    beta = zeros(CHANNELS);
    runningMean = zeros(CHANNELS);
    runningVar = zeros(CHANNELS);
    inNorm = zeros(4, CHANNELS);
    outNorm = zeros(4, CHANNELS);
    inGradient = zeros(2, CHANNELS);
    outGradient = zeros(2, CHANNELS);
    gate = zeros(2, CHANNELS);
    poolGradient = zeros(2, CHANNELS);
    workspace = workspace(operation.workspaceBytes(stream));
  }

  /** One call. */
  @Benchmark
  public void forward() {
    operation.forward(
        stream,
        src,
        inNorm,
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
  public void backward() {
    operation.backward(
        stream,
        src,
        inNorm,
        weights,
        dst,
        outNorm,
        outGradient,
        diff,
        gate,
        poolGradient,
        diffSrc,
        diffWeights,
        gamma,
        beta,
        inGradient,
        workspace);
  }
}
