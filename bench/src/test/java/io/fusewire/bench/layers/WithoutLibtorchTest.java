// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Operations in memory of our own, as on a GPU, on every device there is. */
final class WithoutLibtorchTest {
  private static final int SIDE = 9;

  /** Of storage: twice what rounding once costs; the emulated GPU sums in another order. */
  private static double tolerance(DType dtype) {
    return switch (dtype) {
      case BF16 -> 8e-3;
      case F16 -> 1e-3;
      default -> 1e-5;
    };
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16", "F16"})
  void everyOperationAgreesWithTheCpu(DType dtype) throws IOException {
    List<Problem> problems =
        ProblemFile.matching(
            List.of("b0:stem", "b0:stage1", "b0:head", "b0:pool", "b0:classifier"));
    for (Device device : Device.all()) {
      try (Stream stream = Stream.open(device).threads(1)) {
        Conditions conditions = new Conditions(stream, dtype, false, 0);
        int compared = 0;
        for (Problem problem : problems) {
          for (Operation operation : Operation.values()) {
            Difference difference =
                Match.compareWithCpu(conditions, problem.cropped(SIDE), operation);
            if (difference != null) {
              String what = device + " " + problem + " " + operation.label() + ": " + difference;
              assertTrue(difference.relative() < tolerance(dtype), what);
              compared++;
            }
          }
        }
        assertTrue(compared > 40, compared + " operations");
      }
    }
  }

  @Test
  void everyPlaceHasTheSameContent() throws IOException {
    Problem problem = ProblemFile.matching(List.of("b0:stage6/dw")).get(0).cropped(3);
    try (Stream stream = Stream.open(Device.cpu()).threads(1)) {
      Conditions conditions = new Conditions(stream, DType.BF16, false, 1 << 16);
      try (Match match = Match.open(conditions, problem, 1, Operation.FORWARD)) {
        assertEquals(1 + (1 << 16) / match.leastBytes(), match.places());
        match.ours(match.places() + 1);
        assertThrows(IllegalStateException.class, () -> match.theirs(1));
        assertThrows(IllegalStateException.class, match::compare);
      }
      assertNull(Match.open(conditions, problem, 1, Operation.BACKWARD));
      assertNull(Match.compareWithCpu(conditions, problem, Operation.BACKWARD));
    }
  }

  @Test
  void largeTensorsAreFilledToTheEnd() {
    try (Stream stream = Stream.open(Device.cpu());
        var tensor = io.fusewire.ops.Tensor.allocate(Device.cpu(), DType.F32, 200_003)) {
      tensor.fill(stream, 0xff);
      new RandomValues(3).fill(stream, tensor, 2);
      double sum = 0;
      for (float value : tensor.toFloats(stream)) {
        sum += (double) value * value;
      }
      assertEquals(4, sum / 200_003, 0.1);
    }
  }

  @Test
  void aDifferenceIsTheWorstAndNaNNeverPasses() {
    Difference one = Difference.of(new float[] {1, 2}, new float[] {1, 2.5f});
    assertEquals(0.2, one.largest(), 1e-9);
    assertEquals(one, Difference.NONE.or(one));
    Difference bad = Difference.of(new float[] {1, Float.NaN}, new float[] {1, 2});
    assertTrue(Double.isNaN(bad.relative()) && Double.isNaN(one.or(bad).largest()), "" + bad);
    assertThrows(IllegalArgumentException.class, () -> Difference.of(new float[1], new float[2]));
  }
}
