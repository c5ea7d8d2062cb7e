// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("unit")
class ConvertTest {
  @Test
  void everyHalfSurvivesTheRoundTrip() {
    for (int i = 0; i < 1 << 16; i++) {
      short bits = (short) i;
      if (Float.isNaN(Float16.fromF16(bits))) {
        assertTrue(Float.isNaN(Float16.fromF16(Float16.toF16(Float16.fromF16(bits)))));
      } else {
        assertEquals(bits, Float16.toF16(Float16.fromF16(bits)));
      }
      if (Float.isNaN(Float16.fromBf16(bits))) {
        assertTrue(Float.isNaN(Float16.fromBf16(Float16.toBf16(Float16.fromBf16(bits)))));
      } else {
        assertEquals(bits, Float16.toBf16(Float16.fromBf16(bits)));
      }
    }
  }

  @Test
  void roundingIsToNearestAndTiesGoToEven() {
    assertEquals(0x3c00, Float16.toF16(1f));
    assertEquals(0x3c00, Float16.toF16(1f + 0x1p-11f)); // a tie, down to even
    assertEquals(0x3c02, Float16.toF16(1f + 3 * 0x1p-11f)); // a tie, up to even
    assertEquals(0x7bff, Float16.toF16(65519.99f));
    assertEquals(0x7c00, Float16.toF16(65520f));
    assertEquals((short) 0xfc00, Float16.toF16(Float.NEGATIVE_INFINITY));
    assertEquals(1, Float16.toF16(0x1p-24f));
    assertEquals(0, Float16.toF16(0x1p-25f)); // a tie with zero
    assertEquals(1, Float16.toF16(Math.nextUp(0x1p-25f)));
    assertEquals((short) 0x8000, Float16.toF16(-0f));
    assertEquals(0x3f80, Float16.toBf16(1f + 0x1p-8f));
    assertEquals(0x3f82, Float16.toBf16(1f + 3 * 0x1p-8f));
    assertEquals(0x7f80, Float16.toBf16(Float.MAX_VALUE));
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void devicesRoundAsTheHostDoes(Device device) {
    Random random = new Random(1);
    int count = 100_003;
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = Float.intBitsToFloat(random.nextInt());
    }
    try (Lab lab = new Lab(device)) {
      Tensor source = lab.out(DType.F32, count);
      ByteBuffer raw = ByteBuffer.allocate(4 * count).order(ByteOrder.nativeOrder());
      raw.asFloatBuffer().put(values);
      source.copyFrom(lab.stream, raw);
      for (DType dtype : new DType[] {DType.BF16, DType.F16}) {
        Tensor narrow = lab.out(dtype, count);
        Convert.run(lab.stream, source, narrow);
        Tensor wide = lab.out(DType.F32, count);
        Convert.run(lab.stream, narrow, wide);
        double[] actual = lab.read(wide);
        for (int i = 0; i < count; i++) {
          float expected = Float16.widen(dtype, Float16.round(dtype, values[i]));
          assertEquals(expected, (float) actual[i], dtype + " of " + values[i]);
        }
      }
    }
  }
}
