// SPDX-License-Identifier: Apache-2.0
package io.fusewire.io;

import java.util.List;

/**
 * What a weight file says of one tensor.
 *
 * @param name its name in the file
 * @param type element type
 * @param shape extents in the file's order; empty for a scalar
 */
public record TensorInfo(String name, ElementType type, List<Long> shape) {
  /**
   * Copies the shape.
   *
   * @param name its name in the file
   * @param type element type
   * @param shape extents in the file's order; empty for a scalar
   */
  public TensorInfo {
    shape = List.copyOf(shape);
  }

  /**
   * Number of elements.
   *
   * @return product of the shape
   * @throws ArithmeticException if it does not fit in 63 bits
   */
  public long count() {
    long count = 1;
    for (long extent : shape) {
      count = Math.multiplyExact(count, extent);
    }
    return count;
  }
}
