// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Convert;
import io.fusewire.ops.DType;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link Convert} for a few numbers. */
public class ConvertBenchmark extends CallBenchmark {
  private Tensor src;
  private Tensor dst;

  /** Called by JMH. */
  public ConvertBenchmark() {}

  @Override
  void prepare() {
    src = zeros(CHANNELS);
    dst = zeros(DType.BF16, CHANNELS);
  }

  /** One call. */
  @Benchmark
  public void run() {
    Convert.run(stream, src, dst);
  }
}
