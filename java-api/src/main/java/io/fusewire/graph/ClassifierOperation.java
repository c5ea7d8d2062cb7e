// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.DType;
import io.fusewire.ops.DropoutHead;
import io.fusewire.ops.SampleMode;
import java.util.List;

/** Multi-sample dropout, classifier and loss over pooled features, and their gradients. */
final class ClassifierOperation {
  private final Context context;
  private final DropoutHead head;
  private final Value pooled;
  private final Value labels;
  private final Value losses;
  private final Value correct;
  private final Value diffLogits;

  /**
   * Prepares the operation.
   *
   * @param layer the random stream of its dropout
   * @param pooled (batch, channels), f32
   * @param labels (batch), i32
   */
  ClassifierOperation(
      Context context, double labelSmoothing, int layer, Value pooled, Value labels) {
    var net = context.net();
    long batch = pooled.size(0);
    this.context = context;
    this.head =
        new DropoutHead(
            batch,
            pooled.size(1),
            net.classes(),
            net.samples(),
            (float) net.dropout(),
            (float) labelSmoothing,
            net.averageLogits() ? SampleMode.AVERAGE_LOGITS : SampleMode.AVERAGE_LOSSES,
            layer);
    this.pooled = pooled;
    this.labels = labels;
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

  /** Adds the step of the forward pass. */
  void forward(List<Step> steps) {
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
              var weights = context.value(context.net().classifier() + ".weight");
              var bias = context.value(context.net().classifier() + ".bias");
              var step = context.state().step();
              var workspace = m.workspace();
              return () ->
                  head.forward(
                      context.stream(), step, x, weights, bias, l, loss, right, dl, workspace);
            }));
  }

  /** Adds the step of the backward pass; returns the features' gradient. */
  Value backward(List<Step> steps) {
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
              var weights = context.value(context.net().classifier() + ".weight");
              var diffWeights = context.gradient(context.net().classifier() + ".weight");
              var diffBias = context.gradient(context.net().classifier() + ".bias");
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
    return diffPooled;
  }
}
