// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DepthwiseConv;
import io.fusewire.ops.Residual;
import java.util.List;

/** A depthwise convolution without bias. */
final class DepthwiseOperation implements Operation {
  private final Context context;
  private final String name;
  private final DepthwiseConv conv;
  private final Value src;
  private final Value dst;

  DepthwiseOperation(Context context, String name, ConvShape shape, Value src, Value dst) {
    this.context = context;
    this.name = name;
    this.conv = new DepthwiseConv(shape, context.dtype(), Activation.IDENTITY);
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
            0,
            m -> {
              var x = m.of(src);
              var y = m.of(dst);
              var w = context.value(name + ".weight");
              return () -> conv.forward(context.stream(), x, w, null, y);
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
    Value result = Gradients.like(src);
    steps.add(
        new Step(
            name + " data",
            List.of(diff),
            List.of(result),
            0,
            m -> {
              var dy = m.of(diff);
              var dx = m.of(result);
              var w = context.value(name + ".weight");
              return () -> conv.backwardData(context.stream(), dy, w, dx);
            }));
    Value earlier = gradients.of(src);
    if (earlier != null) {
      // A block without expansion: the skip's gradient is there already. (The expanding ones add in
      // their epilogue.)
      Residual sum =
          new Residual(context.batch(), src.elements() / context.batch(), context.dtype(), 0, 0);
      steps.add(
          new Step(
              name + " skip",
              List.of(earlier, result),
              List.of(result),
              0,
              m -> {
                var skip = m.of(earlier);
                var dx = m.of(result);
                return () -> sum.forward(context.stream(), null, dx, skip, dx);
              }));
    }
    gradients.put(src, result);
  }
}
