// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.DType;
import io.fusewire.ops.FusedMeanPool;
import java.util.List;

/**
 * Mean pool and {@link ClassifierOperation}: the end of the forward pass and the start of the
 * backward pass.
 */
final class HeadOperation implements Operation {
  private final Context context;
  private final FusedMeanPool pool;
  private final Normed src;
  private final Value pooled;
  private final ClassifierOperation classifier;

  HeadOperation(Context context, double labelSmoothing, int layer, Normed src, Value labels) {
    this.context = context;
    long batch = src.batch();
    long channels = src.channels();
    this.pool = new FusedMeanPool(batch, src.pixels(), channels, context.dtype(), src.activation());
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
    steps.add(
        new Step(
            "pool",
            List.of(src.raw(), src.norm().table()),
            List.of(pooled),
            pool.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(src.raw());
              var table = m.of(src.norm().table());
              var y = m.of(pooled);
              var workspace = m.workspace();
              return () -> pool.forward(context.stream(), x, table, y, workspace);
            }));
    classifier.forward(steps);
  }

  @Override
  public void backward(Gradients gradients, List<Step> steps) {
    Value diffPooled = classifier.backward(steps);
    Norm norm = src.norm();
    Value result = Gradients.like(src.raw());
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
    gradients.put(src.raw(), result);
  }
}
