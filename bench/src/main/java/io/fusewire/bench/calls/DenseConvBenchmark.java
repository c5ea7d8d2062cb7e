// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DType;
import io.fusewire.ops.DenseConv;
import io.fusewire.ops.ResidualPlace;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link DenseConv} for a single pixel. */
public class DenseConvBenchmark extends CallBenchmark {
  private DenseConv conv;
  private Tensor src;
  private Tensor weights;
  private Tensor bias;
  private Tensor dst;
  private Tensor residual;
  private Tensor packed;
  private Tensor workspace;

  /** Called by JMH. */
  public DenseConvBenchmark() {}

  @Override
  void prepare() {
    conv =
        new DenseConv(
            ConvShape.same(1, 1, 1, CHANNELS, CHANNELS, 1, 1), DType.F32, Activation.IDENTITY);
    src = zeros(1, 1, 1, CHANNELS);
    weights = zeros(CHANNELS, 1, 1, CHANNELS);
    bias = zeros(CHANNELS);
    dst = zeros(1, 1, 1, CHANNELS);
    residual = zeros(1, 1, 1, CHANNELS);
    packed = workspace(conv.packedBytes(stream));
    workspace = workspace(conv.workspaceBytes(stream));
  }

  /** One call. */
  @Benchmark
  public void forward() {
    conv.forward(stream, src, weights, bias, dst, workspace);
  }

  /** One call. */
  @Benchmark
  public void backwardData() {
    conv.backwardData(stream, dst, weights, src, workspace);
  }

  /** One call. */
  @Benchmark
  public void backwardWeights() {
    conv.backwardWeights(stream, src, dst, weights, bias, workspace);
  }

  /** One call. */
  @Benchmark
  public void pack() {
    conv.pack(stream, weights, packed);
  }

  /** One call. */
  @Benchmark
  public void forwardPacked() {
    conv.forwardPacked(stream, src, packed, bias, residual, ResidualPlace.BEFORE_ACTIVATION, dst);
  }
}
