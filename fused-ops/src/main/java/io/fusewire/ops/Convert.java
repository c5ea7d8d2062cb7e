// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;

/** Conversion between the floating storage types, on the device. */
public final class Convert {
  private static final String RUN = "Convert.run";

  private Convert() {}

  /**
   * Converts every element, rounding to nearest even.
   *
   * @param stream where it runs
   * @param src F32, BF16 or F16
   * @param dst F32, BF16 or F16 with as many elements, overwritten; shares no memory with src
   * @throws IllegalArgumentException if a tensor does not fit
   */
  public static void run(Stream stream, Tensor src, Tensor dst) {
    long handle = Checks.stream(RUN, stream);
    Checks.notNull(RUN, "src", src);
    Checks.notNull(RUN, "dst", dst);
    Checks.floating(RUN, src.dtype());
    Checks.floating(RUN, dst.dtype());
    long srcAddress = Checks.tensor(RUN, "src", src, stream, src.dtype());
    long dstAddress = Checks.tensor(RUN, "dst", dst, stream, dst.dtype());
    if (src.elements() != dst.elements()) {
      throw new IllegalArgumentException(
          RUN + ": src has " + src.elements() + " elements but dst " + dst.elements());
    }
    Checks.disjoint(RUN, "dst", dst, "src", src);
    Status.check(
        Fusewire.fw_convert(
            handle,
            src.dtype().code(),
            srcAddress,
            dst.dtype().code(),
            dstAddress,
            src.elements()));
    Checks.reachable(src, dst, null, null);
  }
}
