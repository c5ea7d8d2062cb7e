// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

import io.fusewire.ops.DType;
import org.bytedeco.pytorch.global.torch;

/** Our storage types as libtorch calls them. */
public final class LibtorchTypes {
  private LibtorchTypes() {}

  /**
   * Libtorch's name.
   *
   * @param dtype F32, BF16 or F16
   * @return the type
   */
  public static torch.ScalarType of(DType dtype) {
    return switch (dtype) {
      case F32 -> torch.ScalarType.Float;
      case BF16 -> torch.ScalarType.BFloat16;
      case F16 -> torch.ScalarType.Half;
      default -> throw new IllegalArgumentException("libtorch shares no " + dtype);
    };
  }
}
