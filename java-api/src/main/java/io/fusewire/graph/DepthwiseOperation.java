// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.ConvShape;
import io.fusewire.ops.FusedDepthwise;
import io.fusewire.ops.Residual;
import java.util.ArrayList;
import java.util.List;

/**
 * A depthwise convolution between two BatchNorms. Its backward pass is one step, from the gradient
 * of the gated result to that of the normalised source; without a gate, whose backward pass makes
 * the gradient table on its way, another one before it does that.
 */
final class DepthwiseOperation implements Operation {
  private final Context context;
  private final String name;
  private final FusedDepthwise conv;
  private final Normed src;
  private final Normed dst;
  private final SqueezeExciteOperation excite;

  /**
   * Makes a convolution.
   *
   * @param excite the gate of its result; null for none
   */
  DepthwiseOperation(
      Context context,
      String name,
      ConvShape shape,
      Normed src,
      Normed dst,
      SqueezeExciteOperation excite) {
    this.context = context;
    this.name = name;
    this.conv =
        new FusedDepthwise(
            shape,
            context.dtype(),
            src.activation(),
            dst.activation(),
            context.epsilon(),
            context.momentum());
    this.src = src;
    this.dst = dst;
    this.excite = excite;
  }

  @Override
  public void forward(List<Step> steps) {
    Norm norm = dst.norm();
    List<Value> reads = new ArrayList<>();
    src.reads(reads);
    steps.add(
        new Step(
            name,
            reads,
            List.of(dst.raw(), norm.table()),
            conv.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(src.raw());
              var inNorm = src.table(m);
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
                      inNorm,
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
    Normed source = gradients.kept(src, steps);
    Norm inNorm = source.norm();
    Value diff = gradients.of(dst.raw());
    if (excite == null) {
      new OwnNormGradient(context, dst, false).table(name, diff, steps);
    }
    Value result = Gradients.like(src.raw());
    List<Value> reads = new ArrayList<>(List.of(diff, norm.gradientTable()));
    if (excite != null) {
      reads.addAll(List.of(excite.gate(), excite.poolGradient()));
    }
    source.reads(reads);
    dst.reads(reads);
    steps.add(
        new Step(
            name + " backward",
            reads,
            inNorm == null ? List.of(result) : List.of(result, inNorm.gradientTable()),
            conv.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(source.raw());
              var sourceTable = source.table(m);
              var w = context.value(name + ".weight");
              var y = m.of(dst.raw());
              var table = m.of(norm.table());
              var gradient = m.of(norm.gradientTable());
              var dy = m.of(diff);
              var gate = excite == null ? null : m.of(excite.gate());
              var poolGradient = excite == null ? null : m.of(excite.poolGradient());
              var dx = m.of(result);
              var dw = context.gradient(name + ".weight");
              var diffGamma = inNorm == null ? null : inNorm.diffGamma();
              var diffBeta = inNorm == null ? null : inNorm.diffBeta();
              var sourceGradient = inNorm == null ? null : m.of(inNorm.gradientTable());
              var workspace = m.workspace();
              return () ->
                  conv.backward(
                      context.stream(),
                      x,
                      sourceTable,
                      w,
                      y,
                      table,
                      gradient,
                      dy,
                      gate,
                      poolGradient,
                      dx,
                      dw,
                      diffGamma,
                      diffBeta,
                      sourceGradient,
                      workspace);
            }));
    Value earlier = gradients.of(src.raw());
    if (earlier != null) {
      steps.add(sum(earlier, result));
    }
    gradients.put(src.raw(), result);
  }

  /**
   * In a block without expansion the skip's gradient joins here. The BatchNorm at the end of the
   * block before then makes its gradient table from the sum.
   */
  private Step sum(Value earlier, Value result) {
    Residual add = new Residual(src.batch(), src.pixels() * src.channels(), context.dtype(), 0, 0);
    return new Step(
        name + " skip",
        List.of(earlier, result),
        List.of(result),
        0,
        m -> {
          var skip = m.of(earlier);
          var dx = m.of(result);
          return () -> add.forward(context.stream(), null, dx, skip, dx);
        });
  }
}
