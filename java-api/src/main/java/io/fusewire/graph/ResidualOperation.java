// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.FusedResidual;
import java.util.ArrayList;
import java.util.List;

/**
 * Adds what goes round a block to its normalised branch, with drop-connect on the branch, and
 * perhaps an activation after that. Backward one gradient, that of the sum, serves the branch,
 * whose convolution scales it on load, and the skip.
 */
final class ResidualOperation implements Operation {
  private final Context context;
  private final String name;
  private final FusedResidual residual;
  private final Activation outActivation;
  private final Value imageScale;
  private final Normed branch;
  private final Normed skip;
  private final Value dst;
  private final boolean kept;

  ResidualOperation(
      Context context,
      String name,
      double rate,
      int layer,
      Normed branch,
      Value imageScale,
      Normed skip,
      Activation outActivation,
      Value dst,
      boolean kept) {
    this.context = context;
    this.name = name;
    this.residual =
        new FusedResidual(
            branch.batch(),
            branch.pixels(),
            branch.channels(),
            context.dtype(),
            branch.activation(),
            skip.activation(),
            outActivation,
            (float) rate,
            layer);
    this.outActivation = outActivation;
    this.imageScale = imageScale;
    this.branch = branch;
    this.skip = skip;
    this.dst = dst;
    this.kept = kept;
  }

  /** A place for drop-connect's factors; null if the rate is 0. */
  static Value imageScale(String name, double rate, long batch) {
    return rate == 0 ? null : new Value(name + " drop-connect", DType.F32, batch);
  }

  @Override
  public void forward(List<Step> steps) {
    if (imageScale != null) {
      steps.add(
          new Step(
              name + " drop-connect",
              List.of(),
              List.of(imageScale),
              0,
              m -> {
                var scale = m.of(imageScale);
                var step = context.state().step();
                return () -> residual.scales(context.stream(), step, scale);
              }));
    }
    steps.add(sum(name, dst));
  }

  /**
   * {@inheritDoc} The sum, unless it is kept: its operands are needed anyway, and one more pass
   * over it costs less than holding it from the forward to the backward pass.
   */
  @Override
  public void recomputes(Gradients gradients) {
    if (!kept) {
      gradients.recompute(dst, to -> sum(name + " again", to));
    }
  }

  private Step sum(String step, Value to) {
    List<Value> reads = new ArrayList<>();
    branch.reads(reads);
    skip.reads(reads);
    if (imageScale != null) {
      reads.add(imageScale);
    }
    return new Step(
        step,
        reads,
        List.of(to),
        0,
        m -> {
          var x = m.of(branch.raw());
          var table = branch.table(m);
          var scale = imageScale == null ? null : m.of(imageScale);
          var s = m.of(skip.raw());
          var skipTable = skip.table(m);
          var y = m.of(to);
          return () -> residual.forward(context.stream(), x, table, scale, s, skipTable, y);
        });
  }

  @Override
  public void backward(Gradients gradients, List<Step> steps) {
    Value diff = gradients.of(dst);
    if (outActivation != Activation.IDENTITY) {
      steps.add(beforeActivation(gradients.kept(Normed.plain(dst), steps).raw(), diff));
    }
    gradients.put(branch.raw(), diff);
    gradients.put(skip.raw(), diff);
  }

  /** In place. */
  private Step beforeActivation(Value sum, Value diff) {
    return new Step(
        name + " backward",
        List.of(sum, diff),
        List.of(diff),
        0,
        m -> {
          var y = m.of(sum);
          var d = m.of(diff);
          return () -> residual.backward(context.stream(), y, d, d);
        });
  }
}
