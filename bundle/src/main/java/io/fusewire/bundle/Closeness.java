// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.ops.DType;

/**
 * How close results of two devices must be that add in different orders and may round a product's
 * operands to the storage type. The error is the norm of the difference over the norm of the golden
 * result, or over {@code floor} times the norm of all of a case's results of the same kind if that
 * is larger: gradients that are rounding alone have nothing to compare.
 *
 * @param relative largest error
 * @param floor share of all results' norm below which a result is not compared by its own
 */
record Closeness(double relative, double floor) {
  private static final double F32_OPERATION = 2e-5;

  /** As the tests against libtorch, twice: two devices, each within the tests' bound. */
  private static final double F32_NETWORK = 1e-3;

  private static final double NETWORK_FLOOR = 1e-3;

  /** One operation: three half units in the last place, for each of the two devices. */
  static Closeness operation(DType dtype) {
    return new Closeness(
        switch (dtype) {
          case BF16 -> 6 * 0x1p-9;
          case F16 -> 6 * 0x1p-12;
          default -> F32_OPERATION;
        },
        0);
  }

  /** A whole network in F32. */
  static Closeness network() {
    return new Closeness(F32_NETWORK, NETWORK_FLOOR);
  }

  /** Nothing but the same bits. */
  static Closeness exact() {
    return new Closeness(0, 0);
  }
}
