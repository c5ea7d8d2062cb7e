// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import java.util.List;

class DepthwiseConvTest extends ConvContract {
  @Override
  boolean depthwise() {
    return true;
  }

  @Override
  List<ConvShape> shapes() {
    return ConvCases.depthwise();
  }

  @Override
  Conv conv(ConvShape shape, DType dtype, Activation activation) {
    DepthwiseConv conv = new DepthwiseConv(shape, dtype, activation);
    return new Conv() {
      @Override
      public void forward(Lab lab, Tensor src, Tensor weights, Tensor bias, Tensor dst) {
        conv.forward(lab.stream, src, weights, bias, dst);
      }

      @Override
      public void backwardData(Lab lab, Tensor diffDst, Tensor weights, Tensor diffSrc) {
        conv.backwardData(lab.stream, diffDst, weights, diffSrc);
      }

      @Override
      public void backwardWeights(
          Lab lab, Tensor src, Tensor diffDst, Tensor diffWeights, Tensor diffBias) {
        Tensor workspace = lab.workspace(conv.workspaceBytes(lab.stream));
        conv.backwardWeights(lab.stream, src, diffDst, diffWeights, diffBias, workspace);
      }
    };
  }
}
