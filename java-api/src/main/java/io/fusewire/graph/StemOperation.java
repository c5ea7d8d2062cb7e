// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DenseConv;
import java.util.List;

/**
 * The stem's dense convolution. Images need no gradient, so its backward pass is that of the
 * weights alone.
 */
final class StemOperation implements Operation {
  private final Context context;
  private final String name;
  private final DenseConv conv;
  private final Value src;
  private final Value dst;

  StemOperation(Context context, String name, ConvShape shape, Value src, Value dst) {
    this.context = context;
    this.name = name;
    this.conv = new DenseConv(shape, context.dtype(), Activation.IDENTITY);
    this.src = src;
    this.dst = dst;
  }

  @Override
  public void forward(List<Step> steps) {
    steps.add(
        new Step(
            name,
            List.of(src),
            List.of(dst),
            conv.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(src);
              var y = m.of(dst);
              var w = context.value(name + ".weight");
              var workspace = m.workspace();
              return () -> conv.forward(context.stream(), x, w, null, y, workspace);
            }));
  }

  @Override
  public void backward(Gradients gradients, List<Step> steps) {
    Value diff = gradients.of(dst);
    steps.add(
        new Step(
            name + " weights",
            List.of(src, diff),
            List.of(),
            conv.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(src);
              var dy = m.of(diff);
              var dw = context.gradient(name + ".weight");
              var workspace = m.workspace();
              return () -> conv.backwardWeights(context.stream(), x, dy, dw, null, workspace);
            }));
  }
}
