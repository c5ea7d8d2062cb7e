// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Activation;
import io.fusewire.ops.PointwiseConv;
import io.fusewire.ops.Tensor;
import java.util.List;

/** A pointwise convolution, which adds to a gradient that is there already in its epilogue. */
final class PointwiseOperation extends ConvOperation {
  private final PointwiseConv conv;

  PointwiseOperation(Context context, String name, Value src, Value dst) {
    super(context, name, src, dst);
    long in = src.size(3);
    this.conv =
        new PointwiseConv(
            src.elements() / in, in, dst.size(3), context.dtype(), Activation.IDENTITY);
  }

  @Override
  long forwardBytes() {
    return conv.workspaceBytes(context.stream());
  }

  @Override
  long backwardBytes() {
    return conv.workspaceBytes(context.stream());
  }

  @Override
  void run(Tensor x, Tensor weights, Tensor y, Tensor workspace) {
    conv.forward(context.stream(), x, weights, null, null, y, null, workspace);
  }

  @Override
  void runWeights(Tensor x, Tensor diff, Tensor diffWeights, Tensor workspace) {
    conv.backwardWeights(context.stream(), x, diff, null, diffWeights, null, workspace);
  }

  @Override
  void backwardData(Value diff, Gradients gradients, List<Step> steps) {
    // The skip's gradient, if there is one, is added in the epilogue and in place.
    Value earlier = gradients.of(src);
    Value result = earlier == null ? Gradients.like(src) : earlier;
    steps.add(
        new Step(
            name + " data",
            earlier == null ? List.of(diff) : List.of(diff, earlier),
            List.of(result),
            backwardBytes(),
            m -> {
              var dy = m.of(diff);
              var dx = m.of(result);
              var addend = earlier == null ? null : dx;
              var w = weights();
              var workspace = m.workspace();
              return () -> conv.backwardData(context.stream(), dy, w, null, addend, dx, workspace);
            }));
    gradients.put(src, result);
  }
}
