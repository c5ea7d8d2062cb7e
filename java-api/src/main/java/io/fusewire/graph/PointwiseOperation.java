// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Activation;
import io.fusewire.ops.PointwiseConv;
import java.util.List;

/** A pointwise convolution without bias, before BatchNorm. */
final class PointwiseOperation implements Operation {
  private final Context context;
  private final String name;
  private final PointwiseConv conv;
  private final Value src;
  private final Value dst;

  PointwiseOperation(Context context, String name, Value src, Value dst) {
    this.context = context;
    this.name = name;
    long in = src.size(3);
    this.conv =
        new PointwiseConv(
            src.elements() / in, in, dst.size(3), context.dtype(), Activation.IDENTITY);
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
              return () -> conv.forward(context.stream(), x, w, null, null, y, null, workspace);
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
              return () -> conv.backwardWeights(context.stream(), x, dy, null, dw, null, workspace);
            }));
    // The skip's gradient, if there is one, is added in the epilogue and in place.
    Value earlier = gradients.of(src);
    Value result = earlier == null ? Gradients.like(src) : earlier;
    steps.add(
        new Step(
            name + " data",
            earlier == null ? List.of(diff) : List.of(diff, earlier),
            List.of(result),
            conv.workspaceBytes(context.stream()),
            m -> {
              var dy = m.of(diff);
              var dx = m.of(result);
              var addend = earlier == null ? null : dx;
              var w = context.value(name + ".weight");
              var workspace = m.workspace();
              return () -> conv.backwardData(context.stream(), dy, w, null, addend, dx, workspace);
            }));
    gradients.put(src, result);
  }
}
