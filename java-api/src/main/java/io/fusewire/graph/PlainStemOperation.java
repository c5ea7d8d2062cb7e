// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.ConvNorm;
import io.fusewire.ops.Activation;
import io.fusewire.ops.BatchNorm;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DType;
import io.fusewire.ops.DenseConv;
import java.util.List;

/**
 * The first convolution with its BatchNorm and activation as operations of their own. For networks
 * so narrow that the first block's skip takes the stem's result, which then has to be there.
 */
final class PlainStemOperation implements Operation {
  private final Context context;
  private final String name;
  private final String normName;
  private final DenseConv conv;
  private final BatchNorm norm;
  private final Value src;
  private final Value raw;
  private final Value mean;
  private final Value inverseDeviation;
  private final Value dst;

  PlainStemOperation(Context context, ConvNorm layer, ConvShape shape, Value src, Value raw) {
    this.context = context;
    this.name = layer.conv();
    this.normName = layer.norm();
    long channels = raw.size(3);
    this.conv = new DenseConv(shape, context.dtype(), Activation.IDENTITY);
    this.norm =
        new BatchNorm(
            raw.elements() / channels,
            channels,
            context.dtype(),
            layer.activation(),
            context.epsilon(),
            context.momentum());
    this.src = src;
    this.raw = raw;
    this.mean = new Value(normName + " mean", DType.F32, channels);
    this.inverseDeviation = new Value(normName + " 1/std", DType.F32, channels);
    this.dst = new Value(normName, context.dtype(), raw.shape());
  }

  /** Normalised and activated. */
  Value dst() {
    return dst;
  }

  @Override
  public void forward(List<Step> steps) {
    steps.add(
        new Step(
            name,
            List.of(src),
            List.of(raw),
            conv.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(src);
              var y = m.of(raw);
              var w = context.value(name + ".weight");
              var workspace = m.workspace();
              return () -> conv.forward(context.stream(), x, w, null, y, workspace);
            }));
    steps.add(
        new Step(
            normName,
            List.of(raw),
            List.of(dst, mean, inverseDeviation),
            norm.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(raw);
              var y = m.of(dst);
              var savedMean = m.of(mean);
              var savedInverse = m.of(inverseDeviation);
              var gamma = context.value(normName + ".weight");
              var beta = context.value(normName + ".bias");
              var runningMean = context.value(normName + ".running_mean");
              var runningVariance = context.value(normName + ".running_var");
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
    steps.add(
        new Step(
            normName + " backward",
            List.of(raw, diff, mean, inverseDeviation),
            List.of(diff),
            norm.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(raw);
              var d = m.of(diff);
              var savedMean = m.of(mean);
              var savedInverse = m.of(inverseDeviation);
              var gamma = context.value(normName + ".weight");
              var beta = context.value(normName + ".bias");
              var diffGamma = context.gradient(normName + ".weight");
              var diffBeta = context.gradient(normName + ".bias");
              var workspace = m.workspace();
              return () ->
                  norm.backward(
                      context.stream(),
                      x,
                      d,
                      gamma,
                      beta,
                      savedMean,
                      savedInverse,
                      d,
                      diffGamma,
                      diffBeta,
                      workspace);
            }));
    steps.add(
        new Step(
            name + " weights",
            List.of(src, diff),
            List.of(),
            conv.workspaceBytes(context.stream()),
            m -> {
              var x = m.of(src);
              var d = m.of(diff);
              var dw = context.gradient(name + ".weight");
              var workspace = m.workspace();
              return () -> conv.backwardWeights(context.stream(), x, d, dw, null, workspace);
            }));
  }
}
