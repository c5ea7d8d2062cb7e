// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DepthwiseConv;
import io.fusewire.ops.Residual;
import io.fusewire.ops.Tensor;
import java.util.List;

/** A depthwise convolution; only its weights' gradient needs a workspace. */
final class DepthwiseOperation extends ConvOperation {
  private final DepthwiseConv conv;

  DepthwiseOperation(Context context, String name, ConvShape shape, Value src, Value dst) {
    super(context, name, src, dst);
    this.conv = new DepthwiseConv(shape, context.dtype(), Activation.IDENTITY);
  }

  @Override
  long forwardBytes() {
    return 0;
  }

  @Override
  long backwardBytes() {
    return conv.workspaceBytes(context.stream());
  }

  @Override
  void run(Tensor x, Tensor weights, Tensor y, Tensor workspace) {
    conv.forward(context.stream(), x, weights, null, y);
  }

  @Override
  void runWeights(Tensor x, Tensor diff, Tensor diffWeights, Tensor workspace) {
    conv.backwardWeights(context.stream(), x, diff, diffWeights, null, workspace);
  }

  @Override
  void backwardData(Value diff, Gradients gradients, List<Step> steps) {
    Value result = Gradients.like(src);
    steps.add(
        new Step(
            name + " data",
            List.of(diff),
            List.of(result),
            0,
            m -> {
              var dy = m.of(diff);
              var dx = m.of(result);
              var w = weights();
              return () -> conv.backwardData(context.stream(), dy, w, dx);
            }));
    Value earlier = gradients.of(src);
    if (earlier != null) {
      // A block without expansion: the skip's gradient is there already. (The expanding ones add in
      // their epilogue.)
      steps.add(sum(earlier, result));
    }
    gradients.put(src, result);
  }

  private Step sum(Value earlier, Value result) {
    Residual sum =
        new Residual(context.batch(), src.elements() / context.batch(), context.dtype(), 0, 0);
    return new Step(
        name + " skip",
        List.of(earlier, result),
        List.of(result),
        0,
        m -> {
          var skip = m.of(earlier);
          var dx = m.of(result);
          return () -> sum.forward(context.stream(), null, dx, skip, dx);
        });
  }
}
