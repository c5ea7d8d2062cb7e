// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.Gate;
import io.fusewire.ops.SqueezeExcite;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link SqueezeExcite} for a single pixel. */
public class SqueezeExciteBenchmark extends CallBenchmark {
  private static final int SQUEEZED = 4;

  private SqueezeExcite excite;
  private Tensor src;
  private Tensor dst;
  private Tensor diffSrc;
  private Tensor reduceWeights;
  private Tensor reduceBias;
  private Tensor expandWeights;
  private Tensor expandBias;
  private Tensor pooled;
  private Tensor hidden;
  private Tensor gate;
  private Tensor diffReduceWeights;
  private Tensor diffExpandWeights;
  private Tensor workspace;

  /** Called by JMH. */
  public SqueezeExciteBenchmark() {}

  @Override
  void prepare() {
    excite =
        new SqueezeExcite(1, 1, CHANNELS, SQUEEZED, DType.F32, Activation.RELU, Gate.HARD_SIGMOID);
    src = zeros(1, 1, CHANNELS);
    dst = zeros(1, 1, CHANNELS);
    diffSrc = zeros(1, 1, CHANNELS);
    reduceWeights = zeros(SQUEEZED, CHANNELS);
    reduceBias = zeros(SQUEEZED);
    expandWeights = zeros(CHANNELS, SQUEEZED);
    expandBias = zeros(CHANNELS);
    pooled = zeros(1, CHANNELS);
    hidden = zeros(1, SQUEEZED);
    gate = zeros(1, CHANNELS);
    diffReduceWeights = zeros(SQUEEZED, CHANNELS);
    diffExpandWeights = zeros(CHANNELS, SQUEEZED);
    workspace = workspace(excite.workspaceBytes(stream));
  }

  /** One call. */
  @Benchmark
  public void forward() {
    excite.forward(
        stream,
        src,
        reduceWeights,
        reduceBias,
        expandWeights,
        expandBias,
        pooled,
        hidden,
        gate,
        dst,
        workspace);
  }

  /** One call. */
  @Benchmark
  public void backward() {
    excite.backward(
        stream,
        src,
        dst,
        reduceWeights,
        expandWeights,
        pooled,
        hidden,
        gate,
        diffSrc,
        diffReduceWeights,
        reduceBias,
        diffExpandWeights,
        expandBias,
        workspace);
  }
}
