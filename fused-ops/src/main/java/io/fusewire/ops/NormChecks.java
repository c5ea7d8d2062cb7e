// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/**
 * What the operations of a BatchNorm in training refuse alike: its settings, too few rows, and
 * tables that do not fit. The methods that take tensors allocate nothing unless they throw; they
 * return the tensor's address.
 */
final class NormChecks {
  private NormChecks() {}

  static void settings(String operation, float epsilon, float momentum) {
    if (!(epsilon >= 0 && epsilon < Float.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          operation + ": epsilon is " + epsilon + ", at least 0 fits");
    }
    if (!(momentum >= 0 && momentum <= 1)) {
      throw new IllegalArgumentException(operation + ": momentum is " + momentum + ", 0 to 1 fits");
    }
  }

  /** A batch has statistics if it has at least two rows. */
  static void rows(String operation, long rows) {
    if (rows < 2) {
      throw new IllegalArgumentException(operation + ": rows is " + rows + ", at least 2 fit");
    }
  }

  /** Both or none are null. */
  static void running(String operation, Tensor runningMean, Tensor runningVar) {
    if ((runningMean == null) != (runningVar == null)) {
      throw new IllegalArgumentException(
          operation
              + ": "
              + (runningMean == null ? "runningMean" : "runningVar")
              + " is null but the other is not; both or none fit");
    }
  }

  /** (channels), F32. */
  static long vector(String operation, String name, Tensor tensor, Stream stream, long channels) {
    return Checks.tensor(operation, name, tensor, stream, DType.F32, channels);
  }

  /** As {@link #vector}; 0 for null. */
  static long optionalVector(
      String operation, String name, Tensor tensor, Stream stream, long channels) {
    return Checks.optional(operation, name, tensor, stream, DType.F32, channels);
  }

  /** A norm table (4, channels), F32. */
  static long norm(String operation, String name, Tensor tensor, Stream stream, long channels) {
    return Checks.tensor(operation, name, tensor, stream, DType.F32, 4, channels);
  }

  /** As {@link #norm}; 0 for null. */
  static long optionalNorm(
      String operation, String name, Tensor tensor, Stream stream, long channels) {
    return Checks.optional(operation, name, tensor, stream, DType.F32, 4, channels);
  }

  /** A gradient table (2, channels), F32. */
  static long gradient(String operation, String name, Tensor tensor, Stream stream, long channels) {
    return Checks.tensor(operation, name, tensor, stream, DType.F32, 2, channels);
  }
}
