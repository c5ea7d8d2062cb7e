// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Activation;
import io.fusewire.ops.BatchNorm;
import io.fusewire.ops.DType;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link BatchNorm} for two rows, the fewest that have a variance. */
public class BatchNormBenchmark extends CallBenchmark {
  private BatchNorm norm;
  private Tensor src;
  private Tensor dst;
  private Tensor diffSrc;
  private Tensor gamma;
  private Tensor beta;
  private Tensor runningMean;
  private Tensor runningVar;
  private Tensor savedMean;
  private Tensor savedInvStd;
  private Tensor workspace;

  /** Called by JMH. */
  public BatchNormBenchmark() {}

  @Override
  void prepare() {
    norm = new BatchNorm(2, CHANNELS, DType.F32, Activation.IDENTITY, 1e-3f, 0.01f);
    src = zeros(2, CHANNELS);
    dst = zeros(2, CHANNELS);
    diffSrc = zeros(2, CHANNELS);
    gamma = zeros(CHANNELS);
    beta = zeros(CHANNELS);
    runningMean = zeros(CHANNELS);
    runningVar = zeros(CHANNELS);
    savedMean = zeros(CHANNELS);
    savedInvStd = zeros(CHANNELS);
    workspace = workspace(norm.workspaceBytes(stream));
  }

  /** One call. */
  @Benchmark
  public void forwardTraining() {
    norm.forwardTraining(
        stream, src, gamma, beta, runningMean, runningVar, savedMean, savedInvStd, dst, workspace);
  }

  /** One call. */
  @Benchmark
  public void forwardInference() {
    norm.forwardInference(stream, src, gamma, beta, runningMean, runningVar, dst);
  }

  /** One call. */
  @Benchmark
  public void backward() {
    norm.backward(
        stream, src, dst, gamma, beta, savedMean, savedInvStd, diffSrc, gamma, beta, workspace);
  }
}
