// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.DType;
import io.fusewire.ops.FusedMeanPool;
import io.fusewire.ops.MeanPool;
import java.util.ArrayList;
import java.util.List;

/**
 * Mean pool and {@link ClassifierOperation}: the end of the forward pass and the start of the
 * backward pass.
 */
final class HeadOperation implements Operation {
  private final Context context;
  private final FusedMeanPool pool; // null: the features are plain
  private final MeanPool plainPool; // null: they are normalised on load
  private final Normed src;
  private final Value pooled;
  private final ClassifierOperation classifier;

  HeadOperation(Context context, double labelSmoothing, int layer, Normed src, Value labels) {
    this.context = context;
    long batch = src.batch();
    long channels = src.channels();
    this.pool =
        src.norm() == null
            ? null
            : new FusedMeanPool(batch, src.pixels(), channels, context.dtype(), src.activation());
    this.plainPool =
        src.norm() == null ? new MeanPool(batch, src.pixels(), channels, context.dtype()) : null;
    this.src = src;
    this.pooled = new Value("pooled", DType.F32, batch, channels);
    this.classifier = new ClassifierOperation(context, labelSmoothing, layer, pooled, labels);
  }

  /** Loss of every image (batch), f32. */
  Value losses() {
    return classifier.losses();
  }

  /** 1 for every image that was told rightly (batch), i32. */
  Value correct() {
    return classifier.correct();
  }

  @Override
  public void forward(List<Step> steps) {
    List<Value> reads = new ArrayList<>();
    src.reads(reads);
    steps.add(
        new Step(
            "pool",
            reads,
            List.of(pooled),
            pool == null
                ? plainPool.workspaceBytes(context.stream())
                : pool.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(src.raw());
              var table = src.table(m);
              var y = m.of(pooled);
              var workspace = m.workspace();
              return pool == null
                  ? () -> plainPool.forward(context.stream(), x, y, workspace)
                  : () -> pool.forward(context.stream(), x, table, y, workspace);
            }));
    classifier.forward(steps);
  }

  @Override
  public void backward(Gradients gradients, List<Step> steps) {
    Value diffPooled = classifier.backward(steps);
    Value result = Gradients.like(src.raw());
    gradients.put(src.raw(), result);
    if (pool == null) {
      steps.add(plainBackward(diffPooled, result));
      return;
    }
    Norm norm = src.norm();
    steps.add(
        new Step(
            "pool backward",
            List.of(diffPooled, src.raw(), norm.table()),
            List.of(result, norm.gradientTable()),
            pool.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(src.raw());
              var table = m.of(norm.table());
              var dy = m.of(diffPooled);
              var dx = m.of(result);
              var diffGamma = norm.diffGamma();
              var diffBeta = norm.diffBeta();
              var gradient = m.of(norm.gradientTable());
              var workspace = m.workspace();
              return () ->
                  pool.backward(
                      context.stream(), x, table, dy, dx, diffGamma, diffBeta, gradient, workspace);
            }));
  }

  private Step plainBackward(Value diffPooled, Value result) {
    return new Step(
        "pool backward",
        List.of(diffPooled),
        List.of(result),
        0,
        m -> {
          var dy = m.of(diffPooled);
          var dx = m.of(result);
          return () -> plainPool.backward(context.stream(), dy, dx);
        });
  }
}
