// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Activation;
import io.fusewire.ops.BatchNorm;
import io.fusewire.ops.DType;
import java.util.List;

/**
 * BatchNorm with its activation, in training. Saves the batch's statistics; the backward pass
 * recomputes the rest from the raw input and writes over the gradient it reads, unless someone else
 * needs that.
 */
final class NormOperation implements Operation {
  private final Context context;
  private final String name;
  private final BatchNorm norm;
  private final Value src;
  private final Value dst;
  private final Value mean;
  private final Value inverseDeviation;

  NormOperation(Context context, String name, Activation activation, Value src, Value dst) {
    this.context = context;
    this.name = name;
    long channels = src.size(3);
    this.norm =
        new BatchNorm(
            src.elements() / channels,
            channels,
            context.dtype(),
            activation,
            (float) context.net().batchNormEpsilon(),
            (float) context.net().batchNormMomentum());
    this.src = src;
    this.dst = dst;
    this.mean = new Value(name + " mean", DType.F32, channels);
    this.inverseDeviation = new Value(name + " 1/std", DType.F32, channels);
  }

  @Override
  public void forward(List<Step> steps) {
    steps.add(
        new Step(
            name,
            List.of(src),
            List.of(dst, mean, inverseDeviation),
            norm.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(src);
              var y = m.of(dst);
              var savedMean = m.of(mean);
              var savedInverse = m.of(inverseDeviation);
              var gamma = context.value(name + ".weight");
              var beta = context.value(name + ".bias");
              var runningMean = context.value(name + ".running_mean");
              var runningVariance = context.value(name + ".running_var");
              var workspace = m.workspace();
              return () ->
                  norm.forwardTraining(
                      context.stream(),
                      x,
                      gamma,
                      beta,
                      runningMean,
                      runningVariance,
                      savedMean,
                      savedInverse,
                      y,
                      workspace);
            }));
  }

  @Override
  public void backward(Gradients gradients, List<Step> steps) {
    Value diff = gradients.of(dst);
    Value result = gradients.mayOverwrite(diff) ? diff : Gradients.like(src);
    steps.add(
        new Step(
            name + " backward",
            List.of(src, diff, mean, inverseDeviation),
            List.of(result),
            norm.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(src);
              var dy = m.of(diff);
              var dx = m.of(result);
              var savedMean = m.of(mean);
              var savedInverse = m.of(inverseDeviation);
              var gamma = context.value(name + ".weight");
              var beta = context.value(name + ".bias");
              var diffGamma = context.gradient(name + ".weight");
              var diffBeta = context.gradient(name + ".bias");
              var workspace = m.workspace();
              return () ->
                  norm.backward(
                      context.stream(),
                      x,
                      dy,
                      gamma,
                      beta,
                      savedMean,
                      savedInverse,
                      dx,
                      diffGamma,
                      diffBeta,
                      workspace);
            }));
    gradients.put(src, result);
  }
}
