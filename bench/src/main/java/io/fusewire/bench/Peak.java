// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.PointwiseConv;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.global.torch;

/**
 * What the cores reach in a large f32 product, ours or libtorch's, whichever is faster: a measured
 * peak, somewhat below what the machine could do.
 *
 * @param perSecond floating-point operations per second, of the fastest run
 * @param by whose product it was
 */
record Peak(double perSecond, String by) {
  private static final int RUNS = 12;
  private static final int REST_MILLIS = 30;
  private static final int ROWS = 2048;
  private static final int CHANNELS = 1024;
  private static final double OPERATIONS = 2.0 * ROWS * CHANNELS * CHANNELS;

  static Peak measure(Stream stream) throws InterruptedException {
    PointwiseConv conv =
        new PointwiseConv(ROWS, CHANNELS, CHANNELS, DType.F32, Activation.IDENTITY);
    try (PointerScope scope = new PointerScope();
        Tensor src = Tensor.allocate(stream.device(), DType.F32, ROWS, CHANNELS);
        Tensor weights = Tensor.allocate(stream.device(), DType.F32, CHANNELS, CHANNELS);
        Tensor packed = Tensor.allocate(stream.device(), DType.U8, conv.packedBytes(stream));
        Tensor dst = Tensor.allocate(stream.device(), DType.F32, ROWS, CHANNELS)) {
      src.fill(stream, 0);
      weights.fill(stream, 0);
      conv.pack(stream, weights, packed);
      var left = torch.zeros(ROWS, CHANNELS);
      var right = torch.zeros(CHANNELS, CHANNELS);
      double ours = Double.POSITIVE_INFINITY;
      double theirs = Double.POSITIVE_INFINITY;
      for (int run = 0; run < RUNS; run++) {
        // What one leaves spinning must not slow down the other.
        Thread.sleep(REST_MILLIS);
        long start = System.nanoTime();
        conv.forwardPacked(stream, src, packed, null, null, dst);
        stream.synchronize();
        long middle = System.nanoTime();
        try (PointerScope result = new PointerScope()) {
          torch.mm(left, right);
        }
        ours = Math.min(ours, (middle - start) * 1e-9);
        theirs = Math.min(theirs, (System.nanoTime() - middle) * 1e-9);
      }
      return ours < theirs
          ? new Peak(OPERATIONS / ours, "our pointwise convolution")
          : new Peak(OPERATIONS / theirs, "libtorch's product");
    }
  }

  @Override
  public String toString() {
    return "%.1f GFLOP/s, %s of (%d, %d) by (%d, %d)"
        .formatted(perSecond * 1e-9, by, ROWS, CHANNELS, CHANNELS, CHANNELS);
  }
}
