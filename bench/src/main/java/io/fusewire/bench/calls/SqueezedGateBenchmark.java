// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Activation;
import io.fusewire.ops.Gate;
import io.fusewire.ops.SqueezedGate;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link SqueezedGate} for a single image. */
public class SqueezedGateBenchmark extends CallBenchmark {
  private static final int SQUEEZED = 4;

  private SqueezedGate operation;
  private Tensor sums;
  private Tensor reduceWeights;
  private Tensor reduceBias;
  private Tensor expandWeights;
  private Tensor expandBias;
  private Tensor pooled;
  private Tensor hidden;
  private Tensor gate;

  /** Called by JMH. */
  public SqueezedGateBenchmark() {}

  @Override
  void prepare() {
    operation = new SqueezedGate(1, 1, 1, CHANNELS, SQUEEZED, Activation.RELU, Gate.HARD_SIGMOID);
    sums = zeros(1, 1, CHANNELS);
    reduceWeights = zeros(SQUEEZED, CHANNELS);
    reduceBias = zeros(SQUEEZED);
    expandWeights = zeros(CHANNELS, SQUEEZED);
    expandBias = zeros(CHANNELS);
    pooled = zeros(1, CHANNELS);
    hidden = zeros(1, SQUEEZED);
    gate = zeros(1, CHANNELS);
  }

  /** One call. */
  @Benchmark
  public void forward() {
    operation.forward(
        stream, sums, reduceWeights, reduceBias, expandWeights, expandBias, pooled, hidden, gate);
  }
}
