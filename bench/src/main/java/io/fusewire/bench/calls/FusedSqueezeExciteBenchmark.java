// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.FusedSqueezeExcite;
import io.fusewire.ops.Gate;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link FusedSqueezeExcite} for a single pixel. */
public class FusedSqueezeExciteBenchmark extends CallBenchmark {
  private static final int SQUEEZED = 4;

  private FusedSqueezeExcite operation;
  private Tensor src;
  private Tensor diff;
  private Tensor inNorm;
  private Tensor inGradient;
  private Tensor reduceWeights;
  private Tensor reduceBias;
  private Tensor expandWeights;
  private Tensor expandBias;
  private Tensor pooled;
  private Tensor hidden;
  private Tensor gate;
  private Tensor poolGradient;
  private Tensor diffReduceWeights;
  private Tensor diffExpandWeights;
  private Tensor diffGamma;
  private Tensor diffBeta;
  private Tensor workspace;

  /** Called by JMH. */
  public FusedSqueezeExciteBenchmark() {}

  @Override
  void prepare() {
    operation =
        new FusedSqueezeExcite(
            1,
            1,
            CHANNELS,
            SQUEEZED,
            DType.F32,
            Activation.SILU,
            Activation.RELU,
            Gate.HARD_SIGMOID);
    src = zeros(1, 1, CHANNELS);
    diff = zeros(1, 1, CHANNELS);
    inNorm = zeros(4, CHANNELS);
    inGradient = zeros(2, CHANNELS);
    reduceWeights = zeros(SQUEEZED, CHANNELS);
    reduceBias = zeros(SQUEEZED);
    expandWeights = zeros(CHANNELS, SQUEEZED);
    expandBias = zeros(CHANNELS);
    pooled = zeros(1, CHANNELS);
    hidden = zeros(1, SQUEEZED);
    gate = zeros(1, CHANNELS);
    poolGradient = zeros(1, CHANNELS);
    diffReduceWeights = zeros(SQUEEZED, CHANNELS);
    diffExpandWeights = zeros(CHANNELS, SQUEEZED);
    diffGamma = zeros(CHANNELS);
    diffBeta = zeros(CHANNELS);
    workspace = workspace(operation.workspaceBytes(stream));
  }

  /** One call. */
  @Benchmark
  public void forward() {
    operation.forward(
        stream,
        src,
        inNorm,
        reduceWeights,
        reduceBias,
        expandWeights,
        expandBias,
        pooled,
        hidden,
        gate,
        workspace);
  }

  /** One call. */
  @Benchmark
  public void backward() {
    operation.backward(
        stream,
        src,
        inNorm,
        diff,
        reduceWeights,
        expandWeights,
        pooled,
        hidden,
        gate,
        poolGradient,
        diffReduceWeights,
        reduceBias,
        diffExpandWeights,
        expandBias,
        diffGamma,
        diffBeta,
        inGradient,
        workspace);
  }
}
