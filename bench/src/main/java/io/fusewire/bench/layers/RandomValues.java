// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.Random;

/**
 * Normally distributed content for tensors of any size on any device. A tensor repeats a few
 * thousand values, as many as no power of two divides, so that filling it costs copies on the
 * device and no time of the host. The same on every device, but for the storage type's rounding.
 */
final class RandomValues {
  private static final int COUNT = 65_521;

  private final float[] values = new float[COUNT];
  private int tensors;

  RandomValues(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < COUNT; i++) {
      values[i] = (float) random.nextGaussian();
    }
  }

  /** Fills a tensor with values of some standard deviation; every tensor begins elsewhere. */
  void fill(Stream stream, Tensor tensor, double scale) {
    long elements = tensor.elements();
    int count = (int) Math.min(elements, COUNT);
    int start = tensors++ * 7919 % COUNT;
    float[] first = new float[count];
    for (int i = 0; i < count; i++) {
      first[i] = (float) (scale * values[(start + i) % COUNT]);
    }
    tensor.slice(0, tensor.dtype(), count).copyFrom(stream, first);
    int width = tensor.dtype().bytes();
    for (long filled = count; filled < elements; ) {
      long more = Math.min(filled, elements - filled);
      Tensor source = tensor.slice(0, tensor.dtype(), more);
      tensor.slice(filled * width, tensor.dtype(), more).copyFrom(stream, source);
      filled += more;
    }
  }
}
