// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.model.Parameter;
import java.util.ArrayList;
import java.util.List;

/**
 * How a library orders a tensor's axes, as seen from PyTorch: axis {@code i} of PyTorch's tensor is
 * axis {@code order.get(i)} of the library's.
 */
record Axes(List<Integer> order) {
  /** PyTorch's own order, of any rank. */
  static final Axes PYTORCH = new Axes(List.of());

  /** Convolutions as (height, width, input, output). */
  private static final Axes HWIO = new Axes(List.of(3, 2, 0, 1));

  /** Depthwise convolutions as (height, width, channels, 1). */
  private static final Axes HWCM = new Axes(List.of(2, 3, 0, 1));

  /** Dense layers as (input, output). */
  private static final Axes IO = new Axes(List.of(1, 0));

  /** TensorFlow's order for a kind of parameter. */
  static Axes tensorFlow(Parameter.Kind kind) {
    return switch (kind) {
      case CONVOLUTION, POINTWISE -> HWIO;
      case DEPTHWISE -> HWCM;
      case CLASSIFIER -> IO;
      default -> PYTORCH;
    };
  }

  /** The library's shape in PyTorch's order; as it is if its rank is another. */
  List<Long> toPyTorch(List<Long> shape) {
    if (order.size() != shape.size()) {
      return shape;
    }
    List<Long> result = new ArrayList<>();
    for (int axis : order) {
      result.add(shape.get(axis));
    }
    return result;
  }

  /** PyTorch's shape in the library's order. */
  List<Long> fromPyTorch(List<Long> shape) {
    Long[] result = shape.toArray(new Long[0]);
    for (int axis = 0; axis < order.size(); axis++) {
      result[order.get(axis)] = shape.get(axis);
    }
    return List.of(result);
  }

  /** The library's values, of the library's shape, in PyTorch's order. */
  float[] toPyTorch(float[] values, List<Long> shape) {
    if (order.isEmpty() || order.size() != shape.size()) {
      return values;
    }
    int rank = order.size();
    int[] extents = new int[rank];
    int[] strides = new int[rank];
    for (int i = 0; i < rank; i++) {
      extents[i] = Math.toIntExact(shape.get(order.get(i)));
      int stride = 1;
      for (int j = order.get(i) + 1; j < rank; j++) {
        stride *= Math.toIntExact(shape.get(j));
      }
      strides[i] = stride;
    }
    float[] result = new float[values.length];
    int[] index = new int[rank];
    int from = 0;
    for (int to = 0; to < result.length; to++) {
      result[to] = values[from];
      for (int axis = rank - 1; axis >= 0; axis--) {
        index[axis]++;
        from += strides[axis];
        if (index[axis] < extents[axis]) {
          break;
        }
        from -= index[axis] * strides[axis];
        index[axis] = 0;
      }
    }
    return result;
  }
}
