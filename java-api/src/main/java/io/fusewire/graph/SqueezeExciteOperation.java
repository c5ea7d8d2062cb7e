// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.Gate;
import io.fusewire.ops.SqueezeExcite;
import java.util.List;

/**
 * Squeeze-and-excite. Saves what is of (batch, channels) size; its backward pass writes over the
 * gradient it reads.
 */
final class SqueezeExciteOperation implements Operation {
  private final Context context;
  private final String reduce;
  private final String expand;
  private final SqueezeExcite excite;
  private final Value src;
  private final Value dst;
  private final Value pooled;
  private final Value hidden;
  private final Value gate;

  SqueezeExciteOperation(
      Context context, String reduce, String expand, long squeezed, Value src, Value dst) {
    this.context = context;
    this.reduce = reduce;
    this.expand = expand;
    long batch = src.size(0);
    long channels = src.size(3);
    this.excite =
        new SqueezeExcite(
            batch,
            src.size(1) * src.size(2),
            channels,
            squeezed,
            context.dtype(),
            context.net().squeezeRelu() ? Activation.RELU : Activation.SILU,
            Gate.SIGMOID);
    this.src = src;
    this.dst = dst;
    this.pooled = new Value(reduce + " pooled", DType.F32, batch, channels);
    this.hidden = new Value(reduce + " hidden", DType.F32, batch, squeezed);
    this.gate = new Value(expand + " gate", DType.F32, batch, channels);
  }

  @Override
  public void forward(List<Step> steps) {
    steps.add(
        new Step(
            reduce,
            List.of(src),
            List.of(dst, pooled, hidden, gate),
            excite.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(src);
              var y = m.of(dst);
              var p = m.of(pooled);
              var h = m.of(hidden);
              var g = m.of(gate);
              var reduceWeights = context.value(reduce + ".weight");
              var reduceBias = context.value(reduce + ".bias");
              var expandWeights = context.value(expand + ".weight");
              var expandBias = context.value(expand + ".bias");
              var workspace = m.workspace();
              return () ->
                  excite.forward(
                      context.stream(),
                      x,
                      reduceWeights,
                      reduceBias,
                      expandWeights,
                      expandBias,
                      p,
                      h,
                      g,
                      y,
                      workspace);
            }));
  }

  @Override
  public void backward(Gradients gradients, List<Step> steps) {
    Value diff = gradients.of(dst);
    steps.add(
        new Step(
            reduce + " backward",
            List.of(src, diff, pooled, hidden, gate),
            List.of(diff),
            excite.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(src);
              var dy = m.of(diff);
              var p = m.of(pooled);
              var h = m.of(hidden);
              var g = m.of(gate);
              var reduceWeights = context.value(reduce + ".weight");
              var expandWeights = context.value(expand + ".weight");
              var diffReduceWeights = context.gradient(reduce + ".weight");
              var diffReduceBias = context.gradient(reduce + ".bias");
              var diffExpandWeights = context.gradient(expand + ".weight");
              var diffExpandBias = context.gradient(expand + ".bias");
              var workspace = m.workspace();
              return () ->
                  excite.backward(
                      context.stream(),
                      x,
                      dy,
                      reduceWeights,
                      expandWeights,
                      p,
                      h,
                      g,
                      dy,
                      diffReduceWeights,
                      diffReduceBias,
                      diffExpandWeights,
                      diffExpandBias,
                      workspace);
            }));
    gradients.put(src, diff);
  }
}
