// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The tests' own instruments find what they are for. */
@Tag("unit")
class LabTest {
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void aWriteBesideATensorIsFound(Device device) {
    for (long offset : new long[] {-1, 40}) {
      Lab lab = new Lab(device);
      Tensor tensor = lab.out(DType.F32, 10);
      Tensor stray = Tensor.view(device, DType.U8, tensor.address() + offset, tensor, 1);
      stray.fill(lab.stream, 1);
      AssertionError e = assertThrows(AssertionError.class, lab::close);
      assertTrue(e.getMessage().contains("guard band"), e.getMessage());
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void outputsStartAsNaN(Device device, DType dtype) {
    try (Lab lab = new Lab(device)) {
      for (double value : lab.read(lab.out(dtype, 5))) {
        assertTrue(Double.isNaN(value));
      }
    }
  }

  @Test
  void comparisonsRefuseWhatIsWrong() {
    double[] right = {1, 2, 3, 4, 5, 6, 7, 8};
    double[] off = {1, 2, 3, 4.001, 5, 6, 7, 8};
    double[] nan = {1, 2, 3, Double.NaN, 5, 6, 7, 8};
    double[] zeros = {0, 0, 0, 0, 0, 0, 0, 8};
    for (double[] wrong : new double[][] {off, nan}) {
      assertThrows(AssertionError.class, () -> Numbers.assertExact("x", DType.F32, right, wrong));
      assertThrows(AssertionError.class, () -> Numbers.assertForward("x", DType.F32, right, wrong));
      assertThrows(
          AssertionError.class, () -> Numbers.assertBackward("x", DType.F32, right, wrong));
      assertThrows(
          AssertionError.class, () -> Numbers.assertGradient("x", DType.F32, right, wrong));
    }
    AssertionError e =
        assertThrows(AssertionError.class, () -> Numbers.assertExact("x", DType.F32, zeros, zeros));
    assertTrue(e.getMessage().contains("mistrusted"), e.getMessage());
    Numbers.assertExact("x", DType.F32, right, right);
    Numbers.assertForward("x", DType.F32, right, right);
  }
}
