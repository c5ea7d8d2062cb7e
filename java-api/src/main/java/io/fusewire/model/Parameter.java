// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import java.util.List;

/**
 * One tensor of a network: a trained parameter or a running statistic of BatchNorm. Always f32 on
 * the device, inside one buffer for the whole network.
 *
 * @param name timm's name, such as {@code blocks.1.0.conv_pw.weight}
 * @param kind what it is, which decides its layouts, initial values and weight decay
 * @param shape PyTorch's shape, as files have it
 * @param offset place in the network's buffer, in elements
 */
public record Parameter(String name, Kind kind, List<Integer> shape, long offset) {

  /** What a tensor is. */
  public enum Kind {
    /** Dense convolution: files (K,C,R,S), kernels (K,R,S,C). */
    CONVOLUTION,
    /** Depthwise convolution: files (C,1,R,S), kernels (R,S,C). */
    DEPTHWISE,
    /** Pointwise convolution: files (K,C,1,1), kernels (K,C), which is the same order. */
    POINTWISE,
    /** Classifier: (classes, features) in both. */
    CLASSIFIER,
    /** Bias of a pointwise convolution in squeeze-and-excite. */
    BIAS,
    /** Bias of the classifier. */
    CLASSIFIER_BIAS,
    /** BatchNorm's factor, gamma. */
    NORM_WEIGHT,
    /** BatchNorm's summand, beta. */
    NORM_BIAS,
    /** BatchNorm's running mean; not trained. */
    RUNNING_MEAN,
    /** BatchNorm's running variance; not trained. */
    RUNNING_VARIANCE;

    /**
     * Whether gradients change it.
     *
     * @return false for running statistics
     */
    public boolean trained() {
      return this != RUNNING_MEAN && this != RUNNING_VARIANCE;
    }

    /**
     * Whether it belongs to the classifier, which other classes need another of.
     *
     * @return true for the classifier's weights and bias
     */
    public boolean ofClassifier() {
      return this == CLASSIFIER || this == CLASSIFIER_BIAS;
    }

    /**
     * Whether weight decay applies: to weights, not to biases or BatchNorm.
     *
     * @return true for convolutions and the classifier
     */
    public boolean decays() {
      return this == CONVOLUTION || this == DEPTHWISE || this == POINTWISE || this == CLASSIFIER;
    }
  }

  /**
   * Copies the shape.
   *
   * @param name timm's name, such as {@code blocks.1.0.conv_pw.weight}
   * @param kind what it is, which decides its layouts, initial values and weight decay
   * @param shape PyTorch's shape, as files have it
   * @param offset place in the network's buffer, in elements
   */
  public Parameter {
    shape = List.copyOf(shape);
  }

  /**
   * Number of elements.
   *
   * @return product of the shape
   */
  public long count() {
    long count = 1;
    for (int extent : shape) {
      count *= extent;
    }
    return count;
  }

  /**
   * Shape in the kernels' layout.
   *
   * @return extents
   */
  public long[] kernelShape() {
    return switch (kind) {
      case CONVOLUTION -> new long[] {shape.get(0), shape.get(2), shape.get(3), shape.get(1)};
      case DEPTHWISE -> new long[] {shape.get(2), shape.get(3), shape.get(0)};
      case POINTWISE -> new long[] {shape.get(0), shape.get(1)};
      default -> shape.stream().mapToLong(Integer::longValue).toArray();
    };
  }

  /**
   * Reorders values from PyTorch's layout to that of the kernels.
   *
   * @param file values in the order of {@link #shape()}
   * @return values in the kernels' order; the same array where the orders agree
   */
  public float[] toKernelLayout(float[] file) {
    return switch (kind) {
      case CONVOLUTION -> transpose(file, shape.get(0), shape.get(1), shape.get(2) * shape.get(3));
      case DEPTHWISE -> transpose(file, 1, shape.get(0), shape.get(2) * shape.get(3));
      default -> file;
    };
  }

  /**
   * Reorders values from the kernels' layout to PyTorch's.
   *
   * @param kernel values in the kernels' order
   * @return values in the order of {@link #shape()}; the same array where the orders agree
   */
  public float[] toFileLayout(float[] kernel) {
    return switch (kind) {
      case CONVOLUTION ->
          transpose(kernel, shape.get(0), shape.get(2) * shape.get(3), shape.get(1));
      case DEPTHWISE -> transpose(kernel, 1, shape.get(2) * shape.get(3), shape.get(0));
      default -> kernel;
    };
  }

  /** Transposes each of {@code batch} matrices of rows x columns. */
  private static float[] transpose(float[] values, int batch, int rows, int columns) {
    float[] result = new float[values.length];
    for (int b = 0; b < batch; b++) {
      int base = b * rows * columns;
      for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
          result[base + c * rows + r] = values[base + r * columns + c];
        }
      }
    }
    return result;
  }
}
