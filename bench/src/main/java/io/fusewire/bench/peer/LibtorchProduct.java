// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

import io.fusewire.ops.DType;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** A large matrix product in libtorch. */
public final class LibtorchProduct implements AutoCloseable {
  private static final double NANO = 1e-9;

  private final PointerScope scope = new PointerScope();
  private final Tensor left;
  private final Tensor right;

  /**
   * Makes two matrices of zeros, (rows, channels) and (channels, channels).
   *
   * @param dtype F32, BF16 or F16
   * @param rows of the first
   * @param channels of both
   */
  public LibtorchProduct(DType dtype, long rows, long channels) {
    torch.ScalarType type = LibtorchTypes.of(dtype);
    left = torch.zeros(rows, channels).to(type);
    right = torch.zeros(channels, channels).to(type);
  }

  /**
   * Multiplies them once.
   *
   * @return seconds
   */
  public double seconds() {
    try (PointerScope result = new PointerScope()) {
      long start = System.nanoTime();
      torch.mm(left, right);
      return (System.nanoTime() - start) * NANO;
    }
  }

  @Override
  public void close() {
    scope.close();
  }
}
