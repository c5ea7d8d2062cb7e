// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DenseConv;
import io.fusewire.ops.Tensor;
import java.util.List;

/**
 * The stem's dense convolution. Images need no gradient, so its backward pass is that of the
 * weights alone.
 */
final class StemOperation extends ConvOperation {
  private final DenseConv conv;

  StemOperation(Context context, String name, ConvShape shape, Value src, Value dst) {
    super(context, name, src, dst);
    this.conv = new DenseConv(shape, context.dtype(), Activation.IDENTITY);
  }

  @Override
  long forwardBytes() {
    return conv.workspaceBytes(context.stream());
  }

  @Override
  long backwardBytes() {
    return conv.workspaceBytes(context.stream());
  }

  @Override
  void run(Tensor x, Tensor weights, Tensor y, Tensor workspace) {
    conv.forward(context.stream(), x, weights, null, y, workspace);
  }

  @Override
  void runWeights(Tensor x, Tensor diff, Tensor diffWeights, Tensor workspace) {
    conv.backwardWeights(context.stream(), x, diff, diffWeights, null, workspace);
  }

  @Override
  void backwardData(Value diff, Gradients gradients, List<Step> steps) {}
}
