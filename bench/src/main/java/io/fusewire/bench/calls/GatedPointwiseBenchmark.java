// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.GatedPointwise;
import io.fusewire.ops.PointwiseConv;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link GatedPointwise} for a single pixel. */
public class GatedPointwiseBenchmark extends CallBenchmark {
  private GatedPointwise operation;
  private Tensor src;
  private Tensor gate;
  private Tensor packed;
  private Tensor bias;
  private Tensor residual;
  private Tensor dst;

  /** Called by JMH. */
  public GatedPointwiseBenchmark() {}

  @Override
  void prepare() {
    operation = new GatedPointwise(1, 1, CHANNELS, CHANNELS, DType.F32, Activation.IDENTITY);
    PointwiseConv packing =
        new PointwiseConv(1, CHANNELS, CHANNELS, DType.F32, Activation.IDENTITY);
    packed = zeros(DType.U8, packing.packedBytes(stream));
    packing.pack(stream, zeros(CHANNELS, CHANNELS), packed);
    src = zeros(1, 1, CHANNELS);
    gate = zeros(1, CHANNELS);
    bias = zeros(CHANNELS);
    residual = zeros(1, 1, CHANNELS);
    dst = zeros(1, 1, CHANNELS);
  }

  /** One call. */
  @Benchmark
  public void forward() {
    operation.forward(stream, src, gate, packed, bias, residual, dst);
  }
}
