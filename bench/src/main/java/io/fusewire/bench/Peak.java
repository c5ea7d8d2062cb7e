// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.peer.LibtorchProduct;
import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.PointwiseConv;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.Locale;

/**
 * What a device reaches in a large product, ours or a peer's, whichever is faster: a measured peak,
 * somewhat below what the machine could do.
 *
 * @param perSecond floating-point operations per second, of the fastest run
 * @param by whose product it was, and of which size
 */
record Peak(double perSecond, String by) {
  private static final int RUNS = 12;
  private static final int REST_MILLIS = 30;
  private static final Size CPU_SIZE = new Size(2048, 1024);
  private static final Size GPU_SIZE = new Size(16384, 4096);

  /** A product of (rows, channels) by (channels, channels). */
  private record Size(int rows, int channels) {
    double operations() {
      return 2.0 * rows * channels * channels;
    }

    String of(String who) {
      return "%s of (%d, %d) by (%d, %d)".formatted(who, rows, channels, channels, channels);
    }
  }

  /**
   * Measures ours and, if it takes part, libtorch's.
   *
   * @param dtype storage type; sums are f32
   */
  static Peak measure(Stream stream, DType dtype, Clock clock, boolean libtorch)
      throws InterruptedException {
    Size size = stream.device().kind() == Device.Kind.CUDA ? GPU_SIZE : CPU_SIZE;
    int rows = size.rows();
    int channels = size.channels();
    PointwiseConv conv = new PointwiseConv(rows, channels, channels, dtype, Activation.IDENTITY);
    try (Tensor src = Tensor.allocate(stream.device(), dtype, rows, channels);
        Tensor weights = Tensor.allocate(stream.device(), DType.F32, channels, channels);
        Tensor packed = Tensor.allocate(stream.device(), DType.U8, conv.packedBytes(stream));
        Tensor dst = Tensor.allocate(stream.device(), dtype, rows, channels);
        LibtorchProduct theirs = libtorch ? new LibtorchProduct(dtype, rows, channels) : null) {
      src.fill(stream, 0);
      weights.fill(stream, 0);
      conv.pack(stream, weights, packed);
      double ourBest = Double.POSITIVE_INFINITY;
      double theirBest = Double.POSITIVE_INFINITY;
      for (int run = 0; run < RUNS; run++) {
        // What one leaves spinning must not slow down the other.
        Thread.sleep(libtorch ? REST_MILLIS : 0);
        Runnable product = () -> conv.forwardPacked(stream, src, packed, null, null, dst);
        ourBest = Math.min(ourBest, clock.seconds(product));
        if (libtorch) {
          theirBest = Math.min(theirBest, theirs.seconds());
        }
      }
      return ourBest <= theirBest
          ? new Peak(size.operations() / ourBest, size.of("our pointwise convolution"))
          : new Peak(size.operations() / theirBest, size.of("libtorch's product"));
    }
  }

  @Override
  public String toString() {
    return String.format(Locale.ROOT, "%.1f GFLOP/s, %s", perSecond * 1e-9, by);
  }
}
