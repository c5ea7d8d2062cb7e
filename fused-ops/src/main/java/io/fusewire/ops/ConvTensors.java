// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.ConvProblem;

/**
 * What a convolution was made for, and so which tensors fit it. The methods refuse one that does
 * not fit and return the address of one that does; they allocate nothing.
 */
final class ConvTensors {
  private final ConvShape shape;
  private final DType dtype;
  private final ConvProblem problem;
  private final long outHeight;
  private final long outWidth;

  ConvTensors(String operation, ConvShape shape, DType dtype, Activation activation) {
    Checks.notNull(operation, "shape", shape);
    Checks.notNull(operation, "activation", activation);
    this.shape = shape;
    this.dtype = Checks.floating(operation, dtype);
    NativeLibrary.load();
    this.problem = shape.problem(dtype, activation);
    this.outHeight = shape.outHeight();
    this.outWidth = shape.outWidth();
  }

  ConvShape shape() {
    return shape;
  }

  /** As the library knows it. */
  ConvProblem problem() {
    return problem;
  }

  /** The source or its gradient. */
  long src(String operation, String name, Tensor tensor, Stream stream) {
    return Checks.tensor(
        operation,
        name,
        tensor,
        stream,
        dtype,
        shape.batch(),
        shape.inHeight(),
        shape.inWidth(),
        shape.inChannels());
  }

  /** The result or its gradient. */
  long dst(String operation, String name, Tensor tensor, Stream stream) {
    return Checks.tensor(
        operation,
        name,
        tensor,
        stream,
        dtype,
        shape.batch(),
        outHeight,
        outWidth,
        shape.outChannels());
  }

  /** Weights (outChannels, kernelHeight, kernelWidth, inChannels) or their gradient. */
  long denseWeights(String operation, String name, Tensor tensor, Stream stream) {
    return Checks.tensor(
        operation,
        name,
        tensor,
        stream,
        DType.F32,
        shape.outChannels(),
        shape.kernelHeight(),
        shape.kernelWidth(),
        shape.inChannels());
  }

  /** Weights (kernelHeight, kernelWidth, channels) or their gradient. */
  long depthwiseWeights(String operation, String name, Tensor tensor, Stream stream) {
    return Checks.tensor(
        operation,
        name,
        tensor,
        stream,
        DType.F32,
        shape.kernelHeight(),
        shape.kernelWidth(),
        shape.inChannels());
  }

  /** The bias or its gradient; 0 for null. */
  long bias(String operation, String name, Tensor tensor, Stream stream) {
    return Checks.optional(operation, name, tensor, stream, DType.F32, shape.outChannels());
  }

  /** Factors of the images; 0 for null. */
  long imageScale(String operation, Tensor tensor, Stream stream) {
    return Checks.optional(operation, "imageScale", tensor, stream, DType.F32, shape.batch());
  }
}
