// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.FusedConv;
import java.util.List;

/** The first convolution, of the plain images. */
final class StemOperation implements Operation {
  private final Context context;
  private final String name;
  private final FusedConv conv;
  private final Value src;
  private final Normed dst;

  StemOperation(Context context, String name, ConvShape shape, Value src, Normed dst) {
    this.context = context;
    this.name = name;
    this.conv =
        new FusedConv(
            shape, context.dtype(), Activation.IDENTITY, context.epsilon(), context.momentum());
    this.src = src;
    this.dst = dst;
  }

  @Override
  public void forward(List<Step> steps) {
    Norm norm = dst.norm();
    steps.add(
        new Step(
            name,
            List.of(src),
            List.of(dst.raw(), norm.table()),
            conv.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(src);
              var w = context.value(name + ".weight");
              var gamma = norm.gamma();
              var beta = norm.beta();
              var mean = norm.runningMean();
              var variance = norm.runningVariance();
              var y = m.of(dst.raw());
              var table = m.of(norm.table());
              var workspace = m.workspace();
              return () ->
                  conv.forward(
                      context.stream(),
                      x,
                      null,
                      w,
                      gamma,
                      beta,
                      mean,
                      variance,
                      y,
                      table,
                      workspace);
            }));
  }

  @Override
  public void backward(Gradients gradients, List<Step> steps) {
    Norm norm = dst.norm();
    Value diff = gradients.of(dst.raw());
    steps.add(
        new Step(
            name + " weights",
            List.of(src, diff, dst.raw(), norm.table(), norm.gradientTable()),
            List.of(),
            conv.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(src);
              var dy = m.of(diff);
              var y = m.of(dst.raw());
              var table = m.of(norm.table());
              var gradient = m.of(norm.gradientTable());
              var dw = context.gradient(name + ".weight");
              var workspace = m.workspace();
              return () ->
                  conv.backwardWeights(
                      context.stream(), x, null, dy, null, y, table, gradient, dw, workspace);
            }));
  }
}
