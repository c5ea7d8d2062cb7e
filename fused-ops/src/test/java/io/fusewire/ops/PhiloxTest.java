// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("unit")
class PhiloxTest {
  /**
   * The known answers that Random123 publishes for philox4x32 with 10 rounds: counter, key, result.
   */
  private static final int[][][] KNOWN = {
    {
      {0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
    },
    {
      {-1, -1, -1, -1}, {-1, -1}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
    },
    {
      {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
      {0xa4093822, 0x299f31d0},
      {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
    },
  };

  @Test
  void theReferenceGivesThePublishedAnswers() {
    for (int[][] known : KNOWN) {
      int[] c = known[0];
      long key = Integer.toUnsignedLong(known[1][0]) | (long) known[1][1] << 32;
      assertArrayEquals(known[2], PhiloxReference.words(key, c[0], c[1], c[2], c[3]));
    }
  }

  /**
   * Element 4*c0 of sample c1, step c2, layer c3 starts the published counter; c0 must be in
   * memory's reach.
   */
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void devicesGiveThePublishedAnswerOfTheZeroCounter(Device device) {
    try (Lab lab = new Lab(device)) {
      Tensor out = lab.out(DType.F32, 4);
      Philox.uniform(lab.stream, 0, 0, 0, 0, out);
      float[] expected = new float[4];
      for (int i = 0; i < 4; i++) {
        expected[i] = (KNOWN[0][2][i] >>> 8) * 0x1p-24f;
      }
      assertArrayEquals(expected, out.toFloats(lab.stream));
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void devicesAgreeWithTheReferenceBitForBit(Device device) {
    long[] seeds = {0, 1, -1, 0x299f31d0_a4093822L};
    int[][] counters = {{0, 0, 0}, {1, 2, 3}, {-1, -1, -1}, {0x85a308d3, 0x13198a2e, 0x03707344}};
    for (int misalign = 0; misalign < 16; misalign += 4) {
      try (Lab lab = new Lab(device)) {
        lab.misalign = misalign;
        for (long seed : seeds) {
          for (int[] c : counters) {
            for (int count : new int[] {1, 3, 4, 63, 64, 1001}) {
              Tensor out = lab.out(DType.F32, count);
              Philox.uniform(lab.stream, seed, c[0], c[1], c[2], out);
              float[] expected = new float[count];
              for (int i = 0; i < count; i++) {
                expected[i] = PhiloxReference.uniform(seed, i, c[0], c[1], c[2]);
              }
              assertArrayEquals(expected, out.toFloats(lab.stream));
            }
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void numbersAreUniform(Device device) {
    int count = 1 << 18;
    try (Lab lab = new Lab(device)) {
      Tensor out = lab.out(DType.F32, count);
      Philox.uniform(lab.stream, 42, 0, 0, 0, out);
      int[] buckets = new int[16];
      for (float value : out.toFloats(lab.stream)) {
        assertTrue(value >= 0 && value < 1, "uniform number " + value);
        buckets[(int) (value * 16)]++;
      }
      double deviation = Math.sqrt(count / 16.0 * 15 / 16);
      for (int bucket : buckets) {
        assertEquals(count / 16.0, bucket, 5 * deviation);
      }
    }
  }
}
