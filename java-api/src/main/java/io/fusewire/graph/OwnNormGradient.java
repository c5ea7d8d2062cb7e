// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Activation;
import io.fusewire.ops.NormGradient;
import java.util.ArrayList;
import java.util.List;

/**
 * The gradient of a BatchNorm by a pass of its own, for a convolution whose result no operation
 * reads that makes it on its way.
 */
final class OwnNormGradient {
  private final Context context;
  private final Normed normed;
  private final NormGradient gradient;
  private final boolean shared;

  /**
   * Describes the result of a convolution.
   *
   * @param normed what the convolution writes
   * @param shared whether others read its gradient as well, as the way round a block does
   */
  OwnNormGradient(Context context, Normed normed, boolean shared) {
    this.context = context;
    this.normed = normed;
    this.shared = shared;
    this.gradient =
        new NormGradient(
            normed.batch(),
            normed.pixels(),
            normed.channels(),
            context.dtype(),
            normed.activation());
  }

  /**
   * A gradient as a convolution's backward pass reads it.
   *
   * @param diff of the normalised tensor
   * @param imageScale (batch), what it is still to be multiplied by; null for nothing
   */
  record Ready(Value diff, Value imageScale) {}

  /** Only the table and the parameters' gradients: for a reader that applies the activation. */
  void table(String name, Value diff, List<Step> steps) {
    steps.add(step(name, diff, null, null));
  }

  /**
   * Adds the step that writes the gradient table, the gradients of the BatchNorm's parameters and,
   * behind an activation, the gradient before it.
   *
   * @param name of the convolution
   * @param diff gradient of the normalised and activated tensor
   * @param imageScale (batch), drop-connect's factors; null for none
   */
  Ready of(String name, Value diff, Value imageScale, List<Step> steps) {
    if (normed.activation() == Activation.IDENTITY) {
      steps.add(step(name, diff, imageScale, null));
      return new Ready(diff, imageScale);
    }
    Value before = shared ? Gradients.like(normed.raw()) : diff;
    steps.add(step(name, diff, imageScale, before));
    return new Ready(before, null);
  }

  private Step step(String name, Value diff, Value imageScale, Value before) {
    Norm norm = normed.norm();
    List<Value> reads = new ArrayList<>(List.of(diff));
    normed.reads(reads);
    if (imageScale != null) {
      reads.add(imageScale);
    }
    return new Step(
        name + " norm backward",
        reads,
        before == null ? List.of(norm.gradientTable()) : List.of(norm.gradientTable(), before),
        gradient.workspaceBytes(context.stream()),
        m -> {
          var y = m.of(normed.raw());
          var table = m.of(norm.table());
          var dy = m.of(diff);
          var scale = imageScale == null ? null : m.of(imageScale);
          var g = before == null ? null : m.of(before);
          var diffGamma = norm.diffGamma();
          var diffBeta = norm.diffBeta();
          var result = m.of(norm.gradientTable());
          var workspace = m.workspace();
          return () ->
              gradient.run(
                  context.stream(), y, table, dy, scale, g, diffGamma, diffBeta, result, workspace);
        });
  }
}
