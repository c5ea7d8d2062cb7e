// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/**
 * Comparison where a kernel may round an operand to the storage type before a product, as tensor
 * cores need it.
 */
final class Tolerance {
  private Tolerance() {}

  /**
   * Compares products whose operands were computed: the operand type decides how close. A GPU, the
   * emulated one too, rounds such operands for its tensor cores; an element that is a small
   * difference of large products may then be off by more than its own rounding, so that the norm is
   * what counts.
   *
   * @param device where the product ran
   * @param operands type that operands may have been rounded to
   * @param stored type of the result
   */
  static void products(
      Device device,
      String what,
      DType operands,
      DType stored,
      double[] expected,
      double[] actual) {
    boolean rounds = device.kind() == Device.Kind.CUDA || device.kind() == Device.Kind.CHECKED;
    if (operands == DType.F32 || (operands == stored && !rounds)) {
      Numbers.assertBackward(what, stored, expected, actual);
      return;
    }
    double norm = 0;
    double error = 0;
    for (int i = 0; i < expected.length; i++) {
      norm += expected[i] * expected[i];
      error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    }
    // Half a unit in the last place of the operand type, three times: 2^-9 and 2^-12.
    double limit = 3 * (operands == DType.BF16 ? 0x1p-9 : 0x1p-12) * Math.sqrt(norm) + 1e-30;
    if (!(Math.sqrt(error) <= limit)) {
      throw new AssertionError(
          what
              + ": relative error "
              + Math.sqrt(error / norm)
              + " exceeds "
              + limit / Math.sqrt(norm));
    }
    Numbers.assertTrusted(what, expected);
  }
}
