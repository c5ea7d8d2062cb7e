// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/**
 * Conversions between binary32 and the two 16-bit storage types, rounding to nearest, ties to even.
 */
public final class Float16 {
  private Float16() {}

  /**
   * Rounds to bfloat16.
   *
   * @param value any float
   * @return the bits; a NaN stays a NaN
   */
  public static short toBf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) ((bits >>> 16) | 0x40);
    }
    return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
  }

  /**
   * Widens a bfloat16, exactly.
   *
   * @param bits its bits
   * @return its value
   */
  public static float fromBf16(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /**
   * Rounds to binary16.
   *
   * @param value any float
   * @return the bits; values of 65520 and more become infinite, a NaN stays a NaN
   */
  public static short toF16(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = (bits >>> 16) & 0x8000;
    int magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) {
      return (short) (sign | 0x7e00 | ((magnitude >>> 13) & 0x1ff));
    }
    if (magnitude
        >= 0x477ff000) { // 65520, halfway between the largest binary16 and the next power of two
      return (short) (sign | 0x7c00);
    }
    if (magnitude
        < 0x38800000) { // below 2^-14: adding 0.5 leaves multiples of 2^-24 in the low bits,
      // rounded
      int rounded = Float.floatToRawIntBits(Float.intBitsToFloat(magnitude) + 0.5f);
      return (short) (sign | (rounded - 0x3f000000));
    }
    int rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
    return (short) (sign | ((rounded - 0x38000000) >>> 13));
  }

  /**
   * Widens a binary16, exactly.
   *
   * @param bits its bits
   * @return its value
   */
  public static float fromF16(short bits) {
    int sign = (bits & 0x8000) << 16;
    int magnitude = bits & 0x7fff;
    if (magnitude >= 0x7c00) {
      return Float.intBitsToFloat(sign | 0x7f800000 | ((magnitude & 0x3ff) << 13));
    }
    if (magnitude < 0x400) {
      float subnormal = magnitude * 0x1p-24f;
      return sign == 0 ? subnormal : -subnormal;
    }
    return Float.intBitsToFloat(sign | ((magnitude << 13) + 0x38000000));
  }

  static short round(DType dtype, float value) {
    return dtype == DType.BF16 ? toBf16(value) : toF16(value);
  }

  static float widen(DType dtype, short bits) {
    return dtype == DType.BF16 ? fromBf16(bits) : fromF16(bits);
  }
}
