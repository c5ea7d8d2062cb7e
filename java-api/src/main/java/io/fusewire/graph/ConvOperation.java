// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Tensor;
import java.util.List;

/**
 * A convolution of any kind without bias, before BatchNorm: one step forward, one backward for the
 * weights, and what the kind does for its source's gradient.
 */
abstract class ConvOperation implements Operation {
  final Context context;
  final String name;
  final Value src;
  final Value dst;

  ConvOperation(Context context, String name, Value src, Value dst) {
    this.context = context;
    this.name = name;
    this.src = src;
    this.dst = dst;
  }

  /** Workspace of the forward pass, in bytes. */
  abstract long forwardBytes();

  /** Workspace of each step of the backward pass, in bytes. */
  abstract long backwardBytes();

  abstract void run(Tensor x, Tensor weights, Tensor y, Tensor workspace);

  abstract void runWeights(Tensor x, Tensor diff, Tensor diffWeights, Tensor workspace);

  /** Adds the steps that compute the source's gradient from the result's. */
  abstract void backwardData(Value diff, Gradients gradients, List<Step> steps);

  final Tensor weights() {
    return context.value(name + ".weight");
  }

  @Override
  public final void forward(List<Step> steps) {
    steps.add(
        new Step(
            name,
            List.of(src),
            List.of(dst),
            forwardBytes(),
            m -> {
              var x = m.of(src);
              var y = m.of(dst);
              var w = weights();
              var workspace = m.workspace();
              return () -> run(x, w, y, workspace);
            }));
  }

  @Override
  public final void backward(Gradients gradients, List<Step> steps) {
    Value diff = gradients.of(dst);
    steps.add(
        new Step(
            name + " weights",
            List.of(src, diff),
            List.of(),
            backwardBytes(),
            m -> {
              var x = m.of(src);
              var dy = m.of(diff);
              var dw = context.gradient(name + ".weight");
              var workspace = m.workspace();
              return () -> runWeights(x, dy, dw, workspace);
            }));
    backwardData(diff, gradients, steps);
  }
}
