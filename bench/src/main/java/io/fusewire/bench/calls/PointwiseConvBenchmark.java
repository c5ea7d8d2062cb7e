// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.PointwiseConv;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link PointwiseConv} for a single row. */
public class PointwiseConvBenchmark extends CallBenchmark {
  private PointwiseConv conv;
  private Tensor src;
  private Tensor weights;
  private Tensor packed;
  private Tensor bias;
  private Tensor dst;
  private Tensor workspace;

  /** Called by JMH. */
  public PointwiseConvBenchmark() {}

  @Override
  void prepare() {
    conv = new PointwiseConv(1, CHANNELS, CHANNELS, DType.F32, Activation.IDENTITY);
    src = zeros(1, CHANNELS);
    weights = zeros(CHANNELS, CHANNELS);
    packed = zeros(DType.U8, conv.packedBytes(stream));
    bias = zeros(CHANNELS);
    dst = zeros(1, CHANNELS);
    workspace = workspace(conv.workspaceBytes(stream));
    conv.pack(stream, weights, packed);
  }

  /** One call. */
  @Benchmark
  public void pack() {
    conv.pack(stream, weights, packed);
  }

  /** One call. */
  @Benchmark
  public void forward() {
    conv.forward(stream, src, weights, bias, null, dst, null, workspace);
  }

  /** One call. */
  @Benchmark
  public void forwardPacked() {
    conv.forwardPacked(stream, src, packed, bias, null, dst);
  }

  /** One call. */
  @Benchmark
  public void backwardData() {
    conv.backwardData(stream, dst, weights, null, null, src, workspace);
  }

  /** One call. */
  @Benchmark
  public void backwardWeights() {
    conv.backwardWeights(stream, src, dst, null, weights, bias, workspace);
  }
}
