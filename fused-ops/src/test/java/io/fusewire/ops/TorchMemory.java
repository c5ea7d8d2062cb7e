// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * libtorch tensors whose memory operations use in place, and what libtorch itself makes of them, in
 * double.
 */
final class TorchMemory {
  private final Random random = new Random(31);

  /** A dense F32 tensor of libtorch with normally distributed content. */
  Tensor randn(long... shape) {
    long count = 1;
    for (long size : shape) {
      count *= size;
    }
    float[] values = Numbers.floats(Numbers.reals(random, DType.F32, count));
    return torch.tensor(values).view(shape).contiguous();
  }

  /** A dense F32 tensor of libtorch full of NaN. */
  static Tensor nan(long... shape) {
    return torch.full(shape, new org.bytedeco.pytorch.Scalar(Double.NaN)).contiguous();
  }

  /** The same memory for Fusewire's operations, without a copy. */
  static io.fusewire.ops.Tensor view(Device device, Tensor tensor) {
    assertTrue(tensor.is_contiguous());
    long[] shape = new long[(int) tensor.dim()];
    for (int i = 0; i < shape.length; i++) {
      shape[i] = tensor.size(i);
    }
    DType dtype =
        tensor.scalar_type().intern() == torch.ScalarType.Int
            ? DType.I32
            : tensor.scalar_type().intern() == torch.ScalarType.Byte ? DType.U8 : DType.F32;
    return io.fusewire.ops.Tensor.view(device, dtype, tensor.data_ptr().address(), tensor, shape);
  }

  /** A copy in double that collects a gradient. */
  static Tensor leaf(Tensor tensor) {
    Tensor leaf = tensor.to(torch.ScalarType.Double).detach();
    leaf.requires_grad_(true);
    return leaf;
  }

  static void backward(Tensor result, Tensor gradient) {
    result.backward(
        gradient.to(torch.ScalarType.Double),
        new BoolOptional(),
        false,
        new TensorArrayRefOptional());
  }

  /**
   * Compares the memory that an operation wrote with libtorch's result; 2-norm of the difference
   * over the norm.
   */
  static void assertSame(String what, Tensor expected, Tensor actual) {
    Tensor wide = expected.detach().to(torch.ScalarType.Double).reshape(-1);
    Tensor difference = actual.to(torch.ScalarType.Double).reshape(-1).sub(wide);
    double error = difference.norm().item_double();
    double norm = wide.norm().item_double();
    assertTrue(norm > 1e-3, what + ": mistrusted, the expected norm is " + norm);
    assertTrue(error <= 1e-5 * norm, what + ": relative error " + error / norm);
  }
}
