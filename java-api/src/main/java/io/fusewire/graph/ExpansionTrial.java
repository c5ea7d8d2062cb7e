// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DType;
import io.fusewire.ops.PointwiseConv;
import io.fusewire.ops.SqueezedDepthwise;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Runs an expansion with its depthwise convolution both ways, in turn, with the operations that an
 * inference network would use. Its memory is less than such a network's, and is given back.
 */
final class ExpansionTrial implements AutoCloseable {
  /** A byte that makes small ordinary numbers of every floating type. */
  private static final int ORDINARY = 0x3C;

  private static final int ROUNDS = 7;
  private static final int FEWEST_ROUNDS = 3;

  /** Runs of less time are repeated within a round, against the clock's and a GPU's latencies. */
  private static final long ROUND_NANOS = 200_000;

  private static final int MOST_REPEATS = 16;

  /** Long runs need fewer rounds. */
  private static final long ENOUGH_NANOS = 100_000_000;

  private final Stream stream;
  private final List<Tensor> tensors = new ArrayList<>();
  private Runnable stored;
  private Runnable onChip;

  private ExpansionTrial(Stream stream) {
    this.stream = stream;
  }

  /**
   * Times a few runs of both ways.
   *
   * @throws io.fusewire.ops.UnsupportedException if it cannot be made on chip
   * @throws io.fusewire.ops.DeviceMemoryException if the device has too little memory
   */
  static ExpansionTimes time(Stream stream, Expansion expansion) {
    try (ExpansionTrial trial = new ExpansionTrial(stream)) {
      trial.prepare(expansion);
      return trial.race();
    }
  }

  private void prepare(Expansion expansion) {
    ConvShape shape = expansion.depthwise();
    DType dtype = expansion.dtype();
    long batch = shape.batch();
    long in = expansion.inChannels();
    long channels = shape.inChannels();
    SqueezedDepthwise both =
        SqueezedDepthwise.expanding(shape, dtype, Activation.SILU, in, Activation.SILU);
    SqueezedDepthwise depthwise = new SqueezedDepthwise(shape, dtype, Activation.SILU);
    PointwiseConv expand =
        new PointwiseConv(
            batch * shape.inHeight() * shape.inWidth(), in, channels, dtype, Activation.SILU);
    Tensor sums1 = tensor(DType.F32, batch, both.chunks(stream), channels);
    Tensor sums2 = tensor(DType.F32, batch, depthwise.chunks(stream), channels);
    Tensor src = tensor(dtype, batch, shape.inHeight(), shape.inWidth(), in);
    Tensor expanded = tensor(dtype, batch, shape.inHeight(), shape.inWidth(), channels);
    Tensor dst = tensor(dtype, batch, shape.outHeight(), shape.outWidth(), channels);
    Tensor packed = tensor(DType.U8, expand.packedBytes(stream));
    expand.pack(stream, tensor(DType.F32, channels, in), packed);
    Tensor bias = tensor(DType.F32, channels);
    Tensor filter = tensor(DType.F32, shape.kernelHeight(), shape.kernelWidth(), channels);
    onChip = () -> both.forward(stream, src, packed, bias, filter, bias, dst, sums1);
    stored =
        () -> {
          expand.forwardPacked(stream, src, packed, bias, null, expanded);
          depthwise.forward(stream, expanded, null, null, filter, bias, dst, sums2);
        };
  }

  private Tensor tensor(DType dtype, long... shape) {
    Tensor tensor = Tensor.allocate(stream.device(), dtype, shape);
    tensors.add(tensor);
    return tensor.fill(stream, ORDINARY);
  }

  private ExpansionTimes race() {
    // The first runs pay for loading code and for touching memory.
    time(stored, 1);
    time(onChip, 1);
    long[] storedTimes = new long[ROUNDS];
    long[] onChipTimes = new long[ROUNDS];
    int repeats = 1;
    int rounds = 0;
    long start = System.nanoTime();
    while (rounds < ROUNDS
        && (rounds < FEWEST_ROUNDS || System.nanoTime() - start < ENOUGH_NANOS)) {
      storedTimes[rounds] = time(stored, repeats);
      onChipTimes[rounds] = time(onChip, repeats);
      if (rounds == 0) {
        long least = Math.min(storedTimes[0], onChipTimes[0]);
        repeats = (int) Math.min(MOST_REPEATS, 1 + ROUND_NANOS / least);
      }
      rounds++;
    }
    return ExpansionTimes.of(
        Arrays.copyOf(storedTimes, rounds), Arrays.copyOf(onChipTimes, rounds));
  }

  /** Nanoseconds of one run, of several in a row; at least 1. */
  private long time(Runnable way, int repeats) {
    long start = System.nanoTime();
    for (int i = 0; i < repeats; i++) {
      way.run();
    }
    stream.synchronize();
    return Math.max(1, (System.nanoTime() - start) / repeats);
  }

  @Override
  public void close() {
    tensors.forEach(Tensor::close);
  }
}
