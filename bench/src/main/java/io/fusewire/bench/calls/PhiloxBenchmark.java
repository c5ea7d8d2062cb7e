// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.Philox;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link Philox} for one block of four numbers. */
public class PhiloxBenchmark extends CallBenchmark {
  private Tensor dst;

  /** Called by JMH. */
  public PhiloxBenchmark() {}

  @Override
  void prepare() {
    dst = zeros(4);
  }

  /** One call. */
  @Benchmark
  public void uniform() {
    Philox.uniform(stream, 1, 2, 3, 4, dst);
  }
}
