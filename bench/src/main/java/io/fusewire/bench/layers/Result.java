// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import java.util.Arrays;

/**
 * A result of ours, and what of it is compared.
 *
 * @param tensor what our call writes
 * @param part what of it others have as well
 */
record Result(SharedTensor tensor, Part part) {
  /** What of a tensor is compared. */
  enum Part {
    /** Every element. */
    ALL,
    /** The first of its rows, such as the means of a norm table. */
    FIRST_ROW,
    /** Its sums over the second axis, such as over the chunks of an image. */
    SUMS
  }

  static Result of(SharedTensor tensor) {
    return new Result(tensor, Part.ALL);
  }

  /** What is compared, of the tensor's values at one place. */
  float[] of(float[] values) {
    long[] shape = tensor.shape();
    int rows = Math.toIntExact(shape[0]);
    int row = values.length / rows;
    return switch (part) {
      case ALL -> values;
      case FIRST_ROW -> Arrays.copyOf(values, row);
      case SUMS -> {
        int width = Math.toIntExact(shape[2]);
        double[] sums = new double[rows * width];
        for (int i = 0; i < values.length; i++) {
          sums[i / row * width + i % width] += values[i];
        }
        float[] narrow = new float[sums.length];
        for (int i = 0; i < sums.length; i++) {
          narrow[i] = (float) sums[i];
        }
        yield narrow;
      }
    };
  }
}
