// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.NormedProblem;

/**
 * A raw tensor (batch, pixels..., channels) with its norm, and so which tensors fit it. The methods
 * refuse one that does not fit and return the address of one that does; they allocate nothing.
 */
final class NormedTensors {
  private final long batch;
  private final long pixels;
  private final long channels;
  private final DType dtype;
  private final NormedProblem problem;

  NormedTensors(
      String operation,
      long batch,
      long pixels,
      long channels,
      DType dtype,
      Activation activation) {
    this.batch = Checks.notNegative(operation, "batch", batch);
    this.pixels = Checks.positive(operation, "pixels", pixels);
    this.channels = Checks.positive(operation, "channels", channels);
    this.dtype = Checks.floating(operation, dtype);
    Checks.notNull(operation, "activation", activation);
    Checks.product(operation, "the tensor", 4, Math.max(batch, 1), pixels, channels);
    NativeLibrary.load();
    this.problem =
        Struct.allocate(NormedProblem.class, NormedProblem::new)
            .dtype(dtype.code())
            .activation(activation.code())
            .batch(batch)
            .pixels(pixels)
            .channels(channels);
  }

  /** As the library knows it. */
  NormedProblem problem() {
    return problem;
  }

  /** The tensor, its gradient, or one like it. */
  long pixels(String operation, String name, Tensor tensor, Stream stream) {
    return Checks.batchRows(operation, name, tensor, stream, dtype, batch, pixels, channels);
  }

  /** (batch, channels), F32. */
  long pooled(String operation, String name, Tensor tensor, Stream stream) {
    return Checks.tensor(operation, name, tensor, stream, DType.F32, batch, channels);
  }

  /** (batch), F32; 0 for null. */
  long imageScale(String operation, Tensor tensor, Stream stream) {
    return Checks.optional(operation, "imageScale", tensor, stream, DType.F32, batch);
  }

  /** A norm table (4, channels), F32. */
  long norm(String operation, String name, Tensor tensor, Stream stream) {
    return NormChecks.norm(operation, name, tensor, stream, channels);
  }

  /** As {@link #norm}; 0 for null. */
  long optionalNorm(String operation, String name, Tensor tensor, Stream stream) {
    return NormChecks.optionalNorm(operation, name, tensor, stream, channels);
  }

  /** (channels), F32. */
  long vector(String operation, String name, Tensor tensor, Stream stream) {
    return NormChecks.vector(operation, name, tensor, stream, channels);
  }

  /** A gradient table (2, channels), F32. */
  long gradient(String operation, Tensor tensor, Stream stream) {
    return NormChecks.gradient(operation, "gradient", tensor, stream, channels);
  }
}
