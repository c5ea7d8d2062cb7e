// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Pool;
import io.fusewire.ops.PoolKind;
import io.fusewire.ops.PoolShape;
import java.util.ArrayList;
import java.util.List;

/** Pooling over windows: after the stem of a ResNet, or before the convolution of a shortcut. */
final class PoolOperation implements Operation {
  private final Context context;
  private final String name;
  private final Pool pool;
  private final PoolKind kind;
  private final Normed src;
  private final Value dst;

  PoolOperation(Context context, String name, PoolShape shape, PoolKind kind, Normed src) {
    this.context = context;
    this.name = name;
    this.pool = new Pool(shape, kind, context.dtype(), src.activation());
    this.kind = kind;
    this.src = src;
    this.dst = Shapes.output(name, context.dtype(), shape);
  }

  /** The pooled tensor, which is plain. */
  Value dst() {
    return dst;
  }

  @Override
  public void forward(List<Step> steps) {
    List<Value> reads = new ArrayList<>();
    src.reads(reads);
    steps.add(
        new Step(
            name,
            reads,
            List.of(dst),
            0,
            m -> {
              var x = m.of(src.raw());
              var table = src.table(m);
              var y = m.of(dst);
              return () -> pool.forward(context.stream(), x, table, y);
            }));
  }

  @Override
  public void backward(Gradients gradients, List<Step> steps) {
    Value diff = gradients.of(dst);
    Value earlier = gradients.of(src.raw());
    Value result = earlier == null ? Gradients.like(src.raw()) : earlier;
    // The largest value is looked for again; a mean needs no source.
    Normed source = kind == PoolKind.MAX ? gradients.kept(src, steps) : null;
    List<Value> reads = new ArrayList<>(List.of(diff));
    if (source != null) {
      source.reads(reads);
    }
    if (earlier != null) {
      reads.add(earlier);
    }
    steps.add(
        new Step(
            name + " backward",
            reads,
            List.of(result),
            0,
            m -> {
              var x = source == null ? null : m.of(source.raw());
              var table = source == null ? null : source.table(m);
              var dy = m.of(diff);
              var dx = m.of(result);
              var addend = earlier == null ? null : dx;
              return () -> pool.backward(context.stream(), x, table, dy, addend, dx);
            }));
    gradients.put(src.raw(), result);
  }
}
