// SPDX-License-Identifier: Apache-2.0
package io.fusewire.io;

import java.nio.ByteBuffer;

/**
 * Element types of the safetensors format, with their conversion to double (exact, except for
 * 64-bit integers).
 */
public enum ElementType {
  /** One byte, 0 or 1. */
  BOOL(1),
  /** Unsigned 8-bit integer. */
  U8(1),
  /** Signed 8-bit integer. */
  I8(1),
  /** Signed 16-bit integer. */
  I16(2),
  /** Unsigned 16-bit integer. */
  U16(2),
  /** IEEE 754 binary16. */
  F16(2),
  /** The upper half of a binary32. */
  BF16(2),
  /** Signed 32-bit integer. */
  I32(4),
  /** Unsigned 32-bit integer. */
  U32(4),
  /** IEEE 754 binary32. */
  F32(4),
  /** IEEE 754 binary64. */
  F64(8),
  /** Signed 64-bit integer. */
  I64(8),
  /** Unsigned 64-bit integer, read as if signed. */
  U64(8);

  private final int bytes;

  ElementType(int bytes) {
    this.bytes = bytes;
  }

  /**
   * Size of one element.
   *
   * @return bytes
   */
  public int bytes() {
    return bytes;
  }

  /**
   * Reads one element.
   *
   * @param data in its own byte order
   * @param position the element's first byte
   * @return the value; exact, except for 64-bit integers
   */
  public double get(ByteBuffer data, int position) {
    return switch (this) {
      case BOOL, U8 -> data.get(position) & 0xFF;
      case I8 -> data.get(position);
      case I16 -> data.getShort(position);
      case U16 -> data.getShort(position) & 0xFFFF;
      case F16 -> halfToFloat(data.getShort(position));
      case BF16 -> Float.intBitsToFloat(data.getShort(position) << 16);
      case I32 -> data.getInt(position);
      case U32 -> data.getInt(position) & 0xFFFFFFFFL;
      case F32 -> data.getFloat(position);
      case F64 -> data.getDouble(position);
      case I64, U64 -> data.getLong(position);
    };
  }

  /** Widens an IEEE 754 binary16; exact. */
  static float halfToFloat(short half) {
    int bits = half & 0xFFFF;
    int exponent = bits >>> 10 & 0x1F;
    int fraction = bits & 0x3FF;
    float magnitude;
    if (exponent == 0x1F) {
      magnitude = fraction == 0 ? Float.POSITIVE_INFINITY : Float.NaN;
    } else if (exponent == 0) {
      magnitude = fraction * 0x1p-24f;
    } else {
      magnitude = Float.intBitsToFloat((exponent + 112) << 23 | fraction << 13);
    }
    return bits >>> 15 == 0 ? magnitude : -magnitude;
  }
}
