// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.DType;
import java.util.Arrays;

/**
 * Something that steps of a graph read and write: an array with a name, whose place in memory a
 * {@link MemoryPlan} decides.
 */
public final class Value {
  private final String name;
  private final DType dtype;
  private final long[] shape;

  /**
   * Makes a value. Two values are never equal, whatever their names.
   *
   * @param name for messages
   * @param dtype element type
   * @param shape extents
   */
  public Value(String name, DType dtype, long... shape) {
    this.name = name;
    this.dtype = dtype;
    this.shape = shape.clone();
  }

  /**
   * Name for messages.
   *
   * @return not necessarily unique
   */
  public String name() {
    return name;
  }

  /**
   * Element type.
   *
   * @return the type
   */
  public DType dtype() {
    return dtype;
  }

  /**
   * Extents.
   *
   * @return a copy
   */
  public long[] shape() {
    return shape.clone();
  }

  /**
   * Size of one extent.
   *
   * @param axis from 0
   * @return elements
   */
  public long size(int axis) {
    return shape[axis];
  }

  /**
   * Number of elements.
   *
   * @return product of the extents
   */
  public long elements() {
    long count = 1;
    for (long extent : shape) {
      count = Math.multiplyExact(count, extent);
    }
    return count;
  }

  /**
   * Size in memory.
   *
   * @return bytes
   */
  public long bytes() {
    return Math.multiplyExact(elements(), dtype.bytes());
  }

  @Override
  public String toString() {
    return name + ":" + dtype + Arrays.toString(shape);
  }
}
