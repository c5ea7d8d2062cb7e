// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/** Philox4x32-10 (Salmon et al. 2011) in Java. */
final class PhiloxReference {
  private PhiloxReference() {}

  /** The four words of a counter under a 64-bit key. */
  static int[] words(long key, int c0, int c1, int c2, int c3) {
    int k0 = (int) key;
    int k1 = (int) (key >>> 32);
    for (int round = 0; round < 10; round++) {
      long product0 = Integer.toUnsignedLong(c0) * 0xD2511F53L;
      long product1 = Integer.toUnsignedLong(c2) * 0xCD9E8D57L;
      int high0 = (int) (product0 >>> 32);
      int high1 = (int) (product1 >>> 32);
      c0 = high1 ^ c1 ^ k0;
      c1 = (int) product1;
      c2 = high0 ^ c3 ^ k1;
      c3 = (int) product0;
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    return new int[] {c0, c1, c2, c3};
  }

  /** Uniform number of an element: the upper 24 bits of its word. */
  static float uniform(long seed, long element, int sample, int step, int layer) {
    int word = words(seed, (int) (element / 4), sample, step, layer)[(int) (element % 4)];
    return (word >>> 8) * 0x1p-24f;
  }
}
