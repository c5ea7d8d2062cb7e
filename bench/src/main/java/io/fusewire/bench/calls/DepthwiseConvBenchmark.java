// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DType;
import io.fusewire.ops.DepthwiseConv;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link DepthwiseConv} for a single pixel. */
public class DepthwiseConvBenchmark extends CallBenchmark {
  private DepthwiseConv conv;
  private Tensor src;
  private Tensor weights;
  private Tensor bias;
  private Tensor dst;
  private Tensor workspace;

  /** Called by JMH. */
  public DepthwiseConvBenchmark() {}

  @Override
  void prepare() {
    conv =
        new DepthwiseConv(
            ConvShape.same(1, 1, 1, CHANNELS, CHANNELS, 1, 1), DType.F32, Activation.IDENTITY);
    src = zeros(1, 1, 1, CHANNELS);
    weights = zeros(1, 1, CHANNELS);
    bias = zeros(CHANNELS);
    dst = zeros(1, 1, 1, CHANNELS);
    workspace = workspace(conv.workspaceBytes(stream));
  }

  /** One call. */
  @Benchmark
  public void forward() {
    conv.forward(stream, src, weights, bias, dst);
  }

  /** One call. */
  @Benchmark
  public void backwardData() {
    conv.backwardData(stream, dst, weights, src);
  }

  /** One call. */
  @Benchmark
  public void backwardWeights() {
    conv.backwardWeights(stream, src, dst, weights, bias, workspace);
  }
}
