// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.ConvShape;
import io.fusewire.ops.FusedConv;
import java.util.ArrayList;
import java.util.List;

/** A dense convolution, of plain images or between two BatchNorms. */
final class DenseOperation implements Operation {
  private final Context context;
  private final String name;
  private final FusedConv conv;
  private final Normed src;
  private final Normed dst;
  private final Value imageScale;
  private final OwnNormGradient normGradient;
  private final boolean ofImages;

  /**
   * Makes a convolution.
   *
   * @param src what it reads
   * @param dst what it writes
   * @param imageScale (batch), drop-connect's factors on the result; null for none
   * @param normGradient of the result; null if whoever reads it makes that
   * @param ofImages whether the source needs no gradient
   */
  DenseOperation(
      Context context,
      String name,
      ConvShape shape,
      Normed src,
      Normed dst,
      Value imageScale,
      OwnNormGradient normGradient,
      boolean ofImages) {
    this.context = context;
    this.name = name;
    this.conv =
        new FusedConv(
            shape, context.dtype(), src.activation(), context.epsilon(), context.momentum());
    this.src = src;
    this.dst = dst;
    this.imageScale = imageScale;
    this.normGradient = normGradient;
    this.ofImages = ofImages;
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
    Value diff = gradients.of(dst.raw());
    OwnNormGradient.Ready ready =
        normGradient == null
            ? new OwnNormGradient.Ready(diff, imageScale)
            : normGradient.of(name, diff, imageScale, steps);
    steps.add(weights(gradients.kept(src, steps), ready));
    if (ofImages) {
      return;
    }
    // The skip's gradient, if there is one, is added in the epilogue and in place.
    Value earlier = gradients.of(src.raw());
    Value result = earlier == null ? Gradients.like(src.raw()) : earlier;
    steps.add(data(ready, earlier, result));
    gradients.put(src.raw(), result);
  }

  /** What both gradients read. */
  private List<Value> reads(OwnNormGradient.Ready ready) {
    List<Value> reads = new ArrayList<>(List.of(ready.diff(), dst.norm().gradientTable()));
    dst.reads(reads);
    if (ready.imageScale() != null) {
      reads.add(ready.imageScale());
    }
    return reads;
  }

  private Step weights(Normed source, OwnNormGradient.Ready ready) {
    List<Value> reads = reads(ready);
    source.reads(reads);
    return new Step(
        name + " weights",
        reads,
        List.of(),
        conv.workspaceBytes(context.stream()),
        m -> {
          var x = m.of(source.raw());
          var inNorm = source.table(m);
          var dy = m.of(ready.diff());
          var scale = ready.imageScale() == null ? null : m.of(ready.imageScale());
          var y = m.of(dst.raw());
          var table = m.of(dst.norm().table());
          var gradient = m.of(dst.norm().gradientTable());
          var dw = context.gradient(name + ".weight");
          var workspace = m.workspace();
          return () ->
              conv.backwardWeights(
                  context.stream(), x, inNorm, dy, scale, y, table, gradient, dw, workspace);
        });
  }

  private Step data(OwnNormGradient.Ready ready, Value earlier, Value result) {
    List<Value> reads = reads(ready);
    if (earlier != null) {
      reads.add(earlier);
    }
    return new Step(
        name + " backward",
        reads,
        List.of(result),
        conv.workspaceBytes(context.stream()),
        m -> {
          var dy = m.of(ready.diff());
          var scale = ready.imageScale() == null ? null : m.of(ready.imageScale());
          var y = m.of(dst.raw());
          var table = m.of(dst.norm().table());
          var gradient = m.of(dst.norm().gradientTable());
          var w = context.value(name + ".weight");
          var dx = m.of(result);
          var addend = earlier == null ? null : dx;
          var workspace = m.workspace();
          return () ->
              conv.backwardData(
                  context.stream(), dy, scale, y, table, gradient, w, addend, dx, workspace);
        });
  }
}
