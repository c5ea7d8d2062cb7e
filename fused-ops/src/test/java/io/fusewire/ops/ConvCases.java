// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Convolution sizes that tests go through: every edge that has a code path of its own, and seeded
 * random ones.
 */
final class ConvCases {
  private ConvCases() {}

  /** Sizes by hand; equal numbers of channels in and out. */
  static List<ConvShape> depthwise() {
    List<ConvShape> shapes = new ArrayList<>();
    for (long kernel = 1; kernel <= 7; kernel++) {
      shapes.add(ConvShape.symmetric(2, 9, 8, 20, 20, kernel, 1));
      shapes.add(ConvShape.same(1, 10, 11, 17, 17, kernel, 2));
    }
    shapes.add(ConvShape.same(2, 7, 7, 32, 32, 3, 1));
    shapes.add(ConvShape.same(2, 8, 8, 48, 48, 5, 2)); // asymmetric: nothing before, more after
    shapes.add(ConvShape.same(3, 9, 9, 8, 8, 3, 2));
    shapes.add(ConvShape.same(1, 1, 1, 64, 64, 5, 1));
    shapes.add(ConvShape.same(1, 1, 13, 5, 5, 3, 1));
    shapes.add(ConvShape.same(2, 13, 1, 33, 33, 3, 2));
    shapes.add(ConvShape.same(1, 6, 6, 1, 1, 3, 1));
    shapes.add(ConvShape.symmetric(1, 12, 12, 40, 40, 3, 3));
    shapes.add(ConvShape.same(1, 12, 9, 18, 18, 3, 1).withDilation(2, 3).withSamePadding());
    shapes.add(ConvShape.symmetric(1, 6, 6, 7, 7, 3, 1).withPadding(0, 0, 0, 0));
    shapes.add(ConvShape.symmetric(1, 5, 6, 16, 16, 3, 2).withPadding(4, 0, 1, 5));
    shapes.add(new ConvShape(2, 8, 7, 12, 12, 2, 5, 1, 3, 2, 1, 1, 0, 3, 2));
    shapes.add(ConvShape.same(2, 30, 29, 24, 24, 3, 1)); // several tiles
    return shapes;
  }

  /** Sizes of dense convolutions. */
  static List<ConvShape> dense() {
    List<ConvShape> shapes = new ArrayList<>();
    for (long kernel = 1; kernel <= 5; kernel++) {
      shapes.add(ConvShape.symmetric(2, 7, 6, 5, 11, kernel, 1));
      shapes.add(ConvShape.same(1, 8, 9, 3, 18, kernel, 2));
    }
    shapes.add(ConvShape.same(2, 16, 16, 3, 32, 3, 2)); // the stem
    shapes.add(ConvShape.symmetric(1, 17, 15, 3, 32, 3, 2));
    shapes.add(ConvShape.same(2, 8, 8, 1, 32, 3, 1)); // grey images
    shapes.add(ConvShape.same(1, 1, 1, 16, 8, 3, 1));
    shapes.add(ConvShape.same(1, 1, 9, 4, 1, 3, 1));
    shapes.add(ConvShape.symmetric(1, 6, 6, 3, 5, 3, 1).withPadding(0, 0, 0, 0));
    shapes.add(ConvShape.same(1, 9, 9, 4, 6, 3, 1).withDilation(2, 2).withSamePadding());
    shapes.add(new ConvShape(2, 6, 7, 9, 21, 2, 3, 2, 1, 1, 2, 0, 1, 2, 1));
    shapes.add(ConvShape.same(1, 5, 5, 40, 70, 3, 1)); // more than one tile of channels
    return shapes;
  }

  /** A random size, small enough for the reference. */
  static ConvShape random(Random random, boolean depthwise) {
    long channels = 1L + random.nextInt(depthwise ? 70 : 20);
    long outputs = depthwise ? channels : 1L + random.nextInt(40);
    long[] rows = axis(random);
    long[] columns = axis(random);
    return new ConvShape(
        1 + random.nextInt(3),
        rows[0],
        columns[0],
        channels,
        outputs,
        rows[1],
        columns[1],
        rows[2],
        columns[2],
        rows[3],
        columns[3],
        rows[4],
        rows[5],
        columns[4],
        columns[5]);
  }

  /**
   * Size, kernel, stride, dilation and padding before and after, with a result that is not empty.
   */
  private static long[] axis(Random random) {
    long in = 1L + random.nextInt(14);
    long kernel = 1L + random.nextInt(7);
    long dilation = 1L + random.nextInt(2);
    long before = random.nextInt(5);
    long missing = dilation * (kernel - 1) + 1 - in - before;
    long after = Math.max(random.nextInt(5), missing);
    return new long[] {in, kernel, 1L + random.nextInt(3), dilation, before, after};
  }
}
