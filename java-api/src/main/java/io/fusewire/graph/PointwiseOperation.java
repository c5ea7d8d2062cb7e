// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.FusedPointwise;
import java.util.ArrayList;
import java.util.List;

/**
 * A pointwise convolution between two BatchNorms. That of an expansion or of the last features has
 * its gradient table from the operation that reads it; others, whose gradient gathers contributions
 * or comes from another product, make their own.
 */
final class PointwiseOperation implements Operation {
  private final Context context;
  private final String name;
  private final FusedPointwise conv;
  private final Normed src;
  private final Value gate;
  private final Normed dst;
  private final Value imageScale;
  private final OwnNormGradient normGradient;

  /**
   * Makes a convolution.
   *
   * @param src what it reads
   * @param gate (batch, channels), times which it takes the source; null for none
   * @param dst what it writes
   * @param imageScale (batch), drop-connect's factors on the result; null for none
   * @param normGradient of the result; null if whoever reads it makes that
   */
  PointwiseOperation(
      Context context,
      String name,
      Normed src,
      Value gate,
      Normed dst,
      Value imageScale,
      OwnNormGradient normGradient) {
    this.context = context;
    this.name = name;
    this.conv =
        new FusedPointwise(
            src.batch(),
            src.pixels(),
            src.channels(),
            dst.channels(),
            context.dtype(),
            src.activation(),
            context.epsilon(),
            context.momentum());
    this.src = src;
    this.gate = gate;
    this.dst = dst;
    this.imageScale = imageScale;
    this.normGradient = normGradient;
  }

  @Override
  public void forward(List<Step> steps) {
    Norm norm = dst.norm();
    List<Value> reads = sourceReads(src);
    steps.add(
        new Step(
            name,
            reads,
            List.of(dst.raw(), norm.table()),
            conv.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(src.raw());
              var inNorm = src.table(m);
              var g = gate == null ? null : m.of(gate);
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
                      g,
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

  private List<Value> sourceReads(Normed source) {
    List<Value> reads = new ArrayList<>();
    source.reads(reads);
    if (gate != null) {
      reads.add(gate);
    }
    return reads;
  }

  @Override
  public void backward(Gradients gradients, List<Step> steps) {
    Value diff = gradients.of(dst.raw());
    OwnNormGradient.Ready ready =
        normGradient == null
            ? new OwnNormGradient.Ready(diff, imageScale)
            : normGradient.of(name, diff, imageScale, steps);
    // The skip's gradient, if there is one, is added in the epilogue and in place.
    Value earlier = gradients.of(src.raw());
    Value result = earlier == null ? Gradients.like(src.raw()) : earlier;
    steps.add(gradientsStep(gradients.kept(src, steps), ready, earlier, result));
    gradients.put(src.raw(), result);
  }

  private Step gradientsStep(
      Normed source, OwnNormGradient.Ready ready, Value earlier, Value result) {
    Value scaled = ready.imageScale();
    List<Value> reads = sourceReads(source);
    reads.add(ready.diff());
    reads.add(dst.norm().gradientTable());
    dst.reads(reads);
    if (scaled != null) {
      reads.add(scaled);
    }
    if (earlier != null) {
      reads.add(earlier);
    }
    return new Step(
        name + " backward",
        reads,
        List.of(result),
        conv.workspaceBytes(context.stream()),
        m -> {
          var x = m.of(source.raw());
          var inNorm = source.table(m);
          var g = gate == null ? null : m.of(gate);
          var dy = m.of(ready.diff());
          var scale = scaled == null ? null : m.of(scaled);
          var y = m.of(dst.raw());
          var table = m.of(dst.norm().table());
          var gradient = m.of(dst.norm().gradientTable());
          var w = context.value(name + ".weight");
          var dx = m.of(result);
          var addend = earlier == null ? null : dx;
          var dw = context.gradient(name + ".weight");
          var workspace = m.workspace();
          return () ->
              conv.backward(
                  context.stream(),
                  x,
                  inNorm,
                  g,
                  dy,
                  scale,
                  y,
                  table,
                  gradient,
                  w,
                  addend,
                  dx,
                  dw,
                  workspace);
        });
  }
}
