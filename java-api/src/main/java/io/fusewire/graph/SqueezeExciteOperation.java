// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Squeeze;
import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.FusedSqueezeExcite;
import io.fusewire.ops.Gate;
import java.util.ArrayList;
import java.util.List;

/**
 * The gate of a depthwise convolution's result, which the next convolution applies on load. Keeps
 * what is of (batch, channels) size. Its backward pass also makes the gradient table of the
 * source's BatchNorm.
 */
final class SqueezeExciteOperation implements Operation {
  private final Context context;
  private final String reduce;
  private final String expand;
  private final FusedSqueezeExcite excite;
  private final Normed src;
  private final Value pooled;
  private final Value hidden;
  private final Value gate;
  private final Value poolGradient;

  SqueezeExciteOperation(Context context, Squeeze squeeze, Normed src) {
    this.context = context;
    this.reduce = squeeze.reduce();
    this.expand = squeeze.expand();
    long squeezed = squeeze.squeezed();
    long batch = src.batch();
    long channels = src.channels();
    this.excite =
        new FusedSqueezeExcite(
            batch,
            src.pixels(),
            channels,
            squeezed,
            context.dtype(),
            src.activation(),
            context.net().squeezeRelu() ? Activation.RELU : Activation.SILU,
            Gate.SIGMOID);
    this.src = src;
    this.pooled = new Value(reduce + " pooled", DType.F32, batch, channels);
    this.hidden = new Value(reduce + " hidden", DType.F32, batch, squeezed);
    this.gate = new Value(expand + " gate", DType.F32, batch, channels);
    this.poolGradient = new Value("d " + pooled.name(), DType.F32, batch, channels);
  }

  /** (batch, channels), f32. */
  Value gate() {
    return gate;
  }

  /** Gradient of the pooled features over the number of pixels, (batch, channels), f32. */
  Value poolGradient() {
    return poolGradient;
  }

  @Override
  public void forward(List<Step> steps) {
    List<Value> reads = new ArrayList<>();
    src.reads(reads);
    steps.add(
        new Step(
            reduce,
            reads,
            List.of(pooled, hidden, gate),
            excite.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(src.raw());
              var table = src.table(m);
              var reduceWeights = context.value(reduce + ".weight");
              var reduceBias = context.value(reduce + ".bias");
              var expandWeights = context.value(expand + ".weight");
              var expandBias = context.value(expand + ".bias");
              var p = m.of(pooled);
              var h = m.of(hidden);
              var g = m.of(gate);
              var workspace = m.workspace();
              return () ->
                  excite.forward(
                      context.stream(),
                      x,
                      table,
                      reduceWeights,
                      reduceBias,
                      expandWeights,
                      expandBias,
                      p,
                      h,
                      g,
                      workspace);
            }));
  }

  @Override
  public void backward(Gradients gradients, List<Step> steps) {
    Norm norm = src.norm();
    Value diff = gradients.of(src.raw());
    List<Value> reads = new ArrayList<>(List.of(diff, pooled, hidden, gate));
    src.reads(reads);
    steps.add(
        new Step(
            reduce + " backward",
            reads,
            List.of(poolGradient, norm.gradientTable()),
            excite.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(src.raw());
              var table = m.of(norm.table());
              var dy = m.of(diff);
              var reduceWeights = context.value(reduce + ".weight");
              var expandWeights = context.value(expand + ".weight");
              var p = m.of(pooled);
              var h = m.of(hidden);
              var g = m.of(gate);
              var dp = m.of(poolGradient);
              var diffReduceWeights = context.gradient(reduce + ".weight");
              var diffReduceBias = context.gradient(reduce + ".bias");
              var diffExpandWeights = context.gradient(expand + ".weight");
              var diffExpandBias = context.gradient(expand + ".bias");
              var diffGamma = norm.diffGamma();
              var diffBeta = norm.diffBeta();
              var gradient = m.of(norm.gradientTable());
              var workspace = m.workspace();
              return () ->
                  excite.backward(
                      context.stream(),
                      x,
                      table,
                      dy,
                      reduceWeights,
                      expandWeights,
                      p,
                      h,
                      g,
                      dp,
                      diffReduceWeights,
                      diffReduceBias,
                      diffExpandWeights,
                      diffExpandBias,
                      diffGamma,
                      diffBeta,
                      gradient,
                      workspace);
            }));
  }
}
