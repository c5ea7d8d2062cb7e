// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DType;
import io.fusewire.ops.PointwiseConv;
import io.fusewire.ops.SqueezedDepthwise;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link SqueezedDepthwise} for a single pixel, without and with the expansion. */
public class SqueezedDepthwiseBenchmark extends CallBenchmark {
  private static final ConvShape SHAPE = ConvShape.same(1, 1, 1, CHANNELS, CHANNELS, 3, 1);

  private SqueezedDepthwise operation;
  private SqueezedDepthwise expanding;
  private Tensor src;
  private Tensor expandWeights;
  private Tensor expandBias;
  private Tensor weights;
  private Tensor bias;
  private Tensor dst;
  private Tensor sums;
  private Tensor expandingSums;

  /** Called by JMH. */
  public SqueezedDepthwiseBenchmark() {}

  @Override
  void prepare() {
    operation = new SqueezedDepthwise(SHAPE, DType.F32, Activation.RELU);
    expanding =
        SqueezedDepthwise.expanding(SHAPE, DType.F32, Activation.RELU, CHANNELS, Activation.RELU);
    PointwiseConv packing = new PointwiseConv(1, CHANNELS, CHANNELS, DType.F32, Activation.RELU);
    src = zeros(1, 1, 1, CHANNELS);
    expandWeights = zeros(DType.U8, packing.packedBytes(stream));
    packing.pack(stream, zeros(CHANNELS, CHANNELS), expandWeights);
    expandBias = zeros(CHANNELS);
    weights = zeros(3, 3, CHANNELS);
    bias = zeros(CHANNELS);
    dst = zeros(1, 1, 1, CHANNELS);
    sums = zeros(1, operation.chunks(stream), CHANNELS);
    expandingSums = zeros(1, expanding.chunks(stream), CHANNELS);
  }

  /** One call. */
  @Benchmark
  public void forward() {
    operation.forward(stream, src, null, null, weights, bias, dst, sums);
  }

  /** One call with the expansion. */
  @Benchmark
  public void forwardExpanding() {
    expanding.forward(stream, src, expandWeights, expandBias, weights, bias, dst, expandingSums);
  }
}
