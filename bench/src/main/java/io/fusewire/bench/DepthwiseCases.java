// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.peer.Memcpy;
import io.fusewire.ops.Activation;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DType;
import io.fusewire.ops.DepthwiseConv;
import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Depthwise forward beside the time of memcpy for the same bytes: source read once, result written
 * once.
 */
final class DepthwiseCases {
  private static final double AIM = 1.8;

  /** One run takes at least about this long, so that starting threads does not count. */
  private static final double RUN_SECONDS = 0.02;

  private final Stream stream;
  private final int threads;
  private final int batch;
  private final Rounds rounds;

  DepthwiseCases(Stream stream, int threads, int batch, Rounds rounds) {
    this.stream = stream;
    this.threads = threads;
    this.batch = batch;
    this.rounds = rounds;
  }

  List<Measurement> measure() throws Exception {
    List<Measurement> measurements = new ArrayList<>();
    for (DepthwiseProblem problem : DepthwiseProblem.all()) {
      measurements.add(measure(problem));
    }
    return measurements;
  }

  private Measurement measure(DepthwiseProblem problem) throws Exception {
    ConvShape shape = problem.shape(batch);
    Device device = stream.device();
    DepthwiseConv conv = new DepthwiseConv(shape, DType.F32, Activation.IDENTITY);
    int kernel = problem.kernel();
    try (Tensor src =
            filled(
                Tensor.allocate(
                    device,
                    DType.F32,
                    batch,
                    problem.height(),
                    problem.width(),
                    problem.channels()));
        Tensor weights =
            filled(Tensor.allocate(device, DType.F32, kernel, kernel, problem.channels()));
        Tensor dst =
            Tensor.allocate(
                device, DType.F32, batch, shape.outHeight(), shape.outWidth(), problem.channels());
        Memcpy memcpy = new Memcpy(src.bytes() + dst.bytes(), threads)) {
      int repeats = repeats(() -> conv.forward(stream, src, weights, null, dst));
      List<Timing> timings =
          rounds.measure(
              List.of(
                  () -> {
                    for (int i = 0; i < repeats; i++) {
                      conv.forward(stream, src, weights, null, dst);
                    }
                    stream.synchronize();
                  },
                  () -> memcpy.copy(repeats)));
      return new Measurement(
          problem.name() + "/forward/batch" + batch + "/f32",
          "time",
          "memcpy",
          timings.get(0).dividedBy(repeats),
          timings.get(1).dividedBy(repeats),
          AIM,
          Double.NaN);
    }
  }

  private Tensor filled(Tensor tensor) {
    Random random = new Random(tensor.elements());
    float[] values = new float[Math.toIntExact(tensor.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextFloat() - 0.5f;
    }
    return tensor.copyFrom(stream, values);
  }

  private int repeats(Runnable operation) {
    operation.run();
    long start = System.nanoTime();
    operation.run();
    stream.synchronize();
    double seconds = (System.nanoTime() - start) * 1e-9;
    return Math.max(1, (int) Math.ceil(RUN_SECONDS / seconds));
  }
}
