// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.DType;
import io.fusewire.ops.DropoutHead;
import io.fusewire.ops.FusedMeanPool;
import io.fusewire.ops.SampleMode;
import java.util.List;

/**
 * Mean pool, multi-sample dropout, classifier and loss: the end of the forward pass and the start
 * of the backward pass.
 */
final class HeadOperation implements Operation {
  private final Context context;
  private final FusedMeanPool pool;
  private final DropoutHead head;
  private final Normed src;
  private final Value labels;
  private final Value pooled;
  private final Value losses;
  private final Value correct;
  private final Value diffLogits;

  HeadOperation(Context context, double labelSmoothing, int layer, Normed src, Value labels) {
    this.context = context;
    var net = context.net();
    long batch = src.batch();
    long channels = src.channels();
    this.pool = new FusedMeanPool(batch, src.pixels(), channels, context.dtype(), src.activation());
    this.head =
        new DropoutHead(
            batch,
            channels,
            net.classes(),
            net.samples(),
            (float) net.dropout(),
            (float) labelSmoothing,
            net.averageLogits() ? SampleMode.AVERAGE_LOGITS : SampleMode.AVERAGE_LOSSES,
            layer);
    this.src = src;
    this.labels = labels;
    this.pooled = new Value("pooled", DType.F32, batch, channels);
    this.losses = new Value("losses", DType.F32, batch);
    this.correct = new Value("correct", DType.I32, batch);
    this.diffLogits = new Value("d logits", DType.F32, head.sets(), batch, net.classes());
  }

  /** Loss of every image (batch), f32. */
  Value losses() {
    return losses;
  }

  /** 1 for every image that was told rightly (batch), i32. */
  Value correct() {
    return correct;
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
    steps.add(
        new Step(
            "classifier",
            List.of(pooled, labels),
            List.of(losses, correct, diffLogits),
            head.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(pooled);
              var l = m.of(labels);
              var loss = m.of(losses);
              var right = m.of(correct);
              var dl = m.of(diffLogits);
              var weights = context.value("classifier.weight");
              var bias = context.value("classifier.bias");
              var step = context.state().step();
              var workspace = m.workspace();
              return () ->
                  head.forward(
                      context.stream(), step, x, weights, bias, l, loss, right, dl, workspace);
            }));
  }

  @Override
  public void backward(Gradients gradients, List<Step> steps) {
    Value diffPooled = Gradients.like(pooled);
    steps.add(
        new Step(
            "classifier backward",
            List.of(pooled, diffLogits),
            List.of(diffPooled),
            head.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(pooled);
              var dl = m.of(diffLogits);
              var dx = m.of(diffPooled);
              var weights = context.value("classifier.weight");
              var diffWeights = context.gradient("classifier.weight");
              var diffBias = context.gradient("classifier.bias");
              var step = context.state().step();
              var scale = context.state().lossScale();
              var workspace = m.workspace();
              return () ->
                  head.backward(
                      context.stream(),
                      step,
                      scale,
                      x,
                      weights,
                      dl,
                      dx,
                      diffWeights,
                      diffBias,
                      workspace);
            }));
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
