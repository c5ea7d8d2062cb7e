// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.LossScale;
import io.fusewire.ops.Optimizer;
import io.fusewire.ops.OptimizerSettings;
import io.fusewire.ops.ParameterTable;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link Optimizer} for one small parameter. */
public class OptimizerBenchmark extends CallBenchmark {
  private Optimizer optimizer;
  private LossScale scale;
  private ParameterTable table;
  private Tensor workspace;

  /** Called by JMH. */
  public OptimizerBenchmark() {}

  @Override
  void prepare() {
    optimizer = new Optimizer(OptimizerSettings.sgd(false));
    scale = opened(new LossScale(stream, 1));
    table =
        opened(
            ParameterTable.builder(stream)
                .add(zeros(CHANNELS), zeros(CHANNELS), zeros(CHANNELS), null, zeros(CHANNELS), 0, 1)
                .build());
    workspace = workspace(optimizer.workspaceBytes(stream, table));
  }

  /** One call. */
  @Benchmark
  public void examine() {
    optimizer.examine(stream, table, scale, workspace);
  }

  /** One call. */
  @Benchmark
  public void step() {
    optimizer.step(stream, table, step, scale);
  }
}
