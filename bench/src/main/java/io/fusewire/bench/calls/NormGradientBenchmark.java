// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.NormGradient;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link NormGradient} for a single pixel. */
public class NormGradientBenchmark extends CallBenchmark {
  private NormGradient operation;
  private Tensor src;
  private Tensor diff;
  private Tensor norm;
  private Tensor imageScale;
  private Tensor diffGamma;
  private Tensor diffBeta;
  private Tensor gradient;
  private Tensor workspace;

  /** Called by JMH. */
  public NormGradientBenchmark() {}

  @Override
  void prepare() {
    operation = new NormGradient(1, 1, CHANNELS, DType.F32, Activation.SILU);
    src = zeros(1, 1, CHANNELS);
    diff = zeros(1, 1, CHANNELS);
    norm = zeros(4, CHANNELS);
    imageScale = zeros(1);
    diffGamma = zeros(CHANNELS);
    diffBeta = zeros(CHANNELS);
    gradient = zeros(2, CHANNELS);
    workspace = workspace(operation.workspaceBytes(stream));
  }

  /** One call. */
  @Benchmark
  public void run() {
    operation.run(stream, src, norm, diff, imageScale, diffGamma, diffBeta, gradient, workspace);
  }
}
