// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops.example;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DType;
import io.fusewire.ops.DepthwiseConv;
import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The README's example: one of Fusewire's operations inside another framework, on that framework's
 * own memory.
 */
@Tag("oracle")
class EmbeddingExampleTest {
  // README: begin
  /**
   * SiLU of a depthwise convolution: x (N,H,W,C), weights (3,3,C), bias (C), all libtorch's and
   * contiguous.
   */
  static org.bytedeco.pytorch.Tensor depthwiseSilu(
      org.bytedeco.pytorch.Tensor x,
      org.bytedeco.pytorch.Tensor weights,
      org.bytedeco.pytorch.Tensor bias) {
    ConvShape shape = ConvShape.same(x.size(0), x.size(1), x.size(2), x.size(3), x.size(3), 3, 1);
    DepthwiseConv conv = new DepthwiseConv(shape, DType.F32, Activation.SILU);
    org.bytedeco.pytorch.Tensor y = torch.empty_like(x);
    try (Stream stream = Stream.open(Device.cpu())) {
      conv.forward(stream, inPlace(x), inPlace(weights), inPlace(bias), inPlace(y));
      stream.synchronize();
    }
    return y;
  }

  /** The same memory, no copy; the view keeps libtorch's tensor alive. */
  static Tensor inPlace(org.bytedeco.pytorch.Tensor t) {
    return Tensor.view(Device.cpu(), DType.F32, t.data_ptr().address(), t, t.sizes().vec().get());
  }

  // README: end

  @Test
  void theExampleComputesWhatLibtorchDoes() {
    org.bytedeco.pytorch.Tensor x = torch.randn(2, 14, 14, 24);
    org.bytedeco.pytorch.Tensor weights = torch.randn(3, 3, 24);
    org.bytedeco.pytorch.Tensor bias = torch.randn(24);
    org.bytedeco.pytorch.Tensor expected =
        torch
            .silu(
                torch.conv2d(
                    x.permute(0, 3, 1, 2),
                    weights.permute(2, 0, 1).unsqueeze(1),
                    new TensorOptional(bias),
                    new long[] {1, 1},
                    new long[] {1, 1},
                    new long[] {1, 1},
                    24))
            .permute(0, 2, 3, 1);
    double error = depthwiseSilu(x, weights, bias).sub(expected).abs().max().item_double();
    assertTrue(error < 1e-5, "largest difference " + error);
  }
}
