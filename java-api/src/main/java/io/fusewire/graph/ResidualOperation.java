// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Residual;
import java.util.List;

/** Adds a block's input to its branch, in place, with drop-connect on the branch. */
final class ResidualOperation implements Operation {
  private final Context context;
  private final String name;
  private final Residual residual;
  private final float rate;
  private final Value branch;
  private final Value skip;

  ResidualOperation(
      Context context, String name, double rate, int layer, Value branch, Value skip) {
    this.context = context;
    this.name = name;
    this.rate = (float) rate;
    this.residual =
        new Residual(
            context.batch(),
            branch.elements() / context.batch(),
            context.dtype(),
            this.rate,
            layer);
    this.branch = branch;
    this.skip = skip;
  }

  @Override
  public void forward(List<Step> steps) {
    steps.add(
        new Step(
            name,
            List.of(branch, skip),
            List.of(branch),
            0,
            m -> {
              var b = m.of(branch);
              var s = m.of(skip);
              var step = rate > 0 ? context.state().step() : null;
              return () -> residual.forward(context.stream(), step, b, s, b);
            }));
  }

  @Override
  public void backward(Gradients gradients, List<Step> steps) {
    Value diff = gradients.of(branch);
    gradients.put(skip, diff);
    if (rate == 0) {
      gradients.share(diff);
      return;
    }
    Value result = Gradients.like(branch);
    steps.add(
        new Step(
            name + " backward",
            List.of(diff),
            List.of(result),
            0,
            m -> {
              var dy = m.of(diff);
              var db = m.of(result);
              var step = context.state().step();
              return () -> residual.backward(context.stream(), step, dy, db);
            }));
    gradients.put(branch, result);
  }
}
