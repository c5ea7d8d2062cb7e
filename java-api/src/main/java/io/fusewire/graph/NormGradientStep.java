// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.NormGradient;
import java.util.ArrayList;
import java.util.List;

/**
 * The gradient of a BatchNorm by a pass of its own, for a convolution whose result no operation
 * reads that makes it on its way.
 */
final class NormGradientStep {
  private final Context context;
  private final Normed normed;
  private final NormGradient gradient;

  NormGradientStep(Context context, Normed normed) {
    this.context = context;
    this.normed = normed;
    this.gradient =
        new NormGradient(
            normed.batch(),
            normed.pixels(),
            normed.channels(),
            context.dtype(),
            normed.activation());
  }

  /**
   * The step that writes the gradient table and the gradients of the BatchNorm's parameters.
   *
   * @param name of the convolution
   * @param diff gradient of the normalised and activated tensor
   * @param imageScale (batch), drop-connect's factors; null for none
   */
  Step of(String name, Value diff, Value imageScale) {
    Norm norm = normed.norm();
    List<Value> reads = new ArrayList<>(List.of(diff));
    normed.reads(reads);
    if (imageScale != null) {
      reads.add(imageScale);
    }
    return new Step(
        name + " norm backward",
        reads,
        List.of(norm.gradientTable()),
        gradient.workspaceBytes(context.stream()),
        m -> {
          var y = m.of(normed.raw());
          var table = m.of(norm.table());
          var dy = m.of(diff);
          var scale = imageScale == null ? null : m.of(imageScale);
          var diffGamma = norm.diffGamma();
          var diffBeta = norm.diffBeta();
          var result = m.of(norm.gradientTable());
          var workspace = m.workspace();
          return () ->
              gradient.run(
                  context.stream(), y, table, dy, scale, diffGamma, diffBeta, result, workspace);
        });
  }
}
