// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import java.util.List;

class DenseConvTest extends ConvContract {
  @Override
  boolean depthwise() {
    return false;
  }

  @Override
  List<ConvShape> shapes() {
    return ConvCases.dense();
  }

  @Override
  Conv conv(ConvShape shape, DType dtype, Activation activation) {
    DenseConv conv = new DenseConv(shape, dtype, activation);
    return new Conv() {
      @Override
      public void forward(Lab lab, Tensor src, Tensor weights, Tensor bias, Tensor dst) {
        Tensor workspace = lab.workspace(conv.workspaceBytes(lab.stream));
        conv.forward(lab.stream, src, weights, bias, dst, workspace);
      }

      @Override
      public void backwardData(Lab lab, Tensor diffDst, Tensor weights, Tensor diffSrc) {
        Tensor workspace = lab.workspace(conv.workspaceBytes(lab.stream));
        conv.backwardData(lab.stream, diffDst, weights, diffSrc, workspace);
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
