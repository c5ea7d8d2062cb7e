// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.StepState;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link StepState}, which every training step makes once. */
public class StepStateBenchmark extends CallBenchmark {
  /** Called by JMH. */
  public StepStateBenchmark() {}

  @Override
  void prepare() {}

  /** One call. */
  @Benchmark
  public void set() {
    step.set(stream, 1, 2, 0.1f, 0.9f, 0.99f, 1, 1);
  }
}
