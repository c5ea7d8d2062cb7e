// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.layers.Layer;
import io.fusewire.bench.layers.Problem;
import io.fusewire.bench.layers.ProblemFile;
import io.fusewire.bench.peer.Memcpy;
import io.fusewire.model.Padding;
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
 * once. Cold, both go through so many tensors in turn that every byte comes from memory and goes
 * there; warm, they work on the same tensors again and again, which for small layers measures the
 * caches.
 */
final class DepthwiseCases {
  private static final double AIM = 1.8;

  /** Several times the last-level cache. */
  private static final long COLD_BYTES = 160L << 20;

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
    for (boolean cold : new boolean[] {true, false}) {
      for (Problem problem : ProblemFile.of("b0", Layer.DEPTHWISE)) {
        measurements.add(measure(problem, cold));
      }
    }
    return measurements;
  }

  private Measurement measure(Problem problem, boolean cold) throws Exception {
    ConvShape shape = problem.convolution(batch, Padding.SAME);
    Device device = stream.device();
    DepthwiseConv conv = new DepthwiseConv(shape, DType.F32, Activation.IDENTITY);
    int kernel = problem.kernel();
    long inBytes = 4L * batch * problem.height() * problem.width() * problem.inChannels();
    long outBytes = 4L * batch * shape.outHeight() * shape.outWidth() * problem.inChannels();
    int places = cold ? Math.toIntExact(1 + COLD_BYTES / (inBytes + outBytes)) : 1;
    List<Tensor> sources = new ArrayList<>();
    List<Tensor> results = new ArrayList<>();
    try (Tensor allSources = filled(Tensor.allocate(device, DType.F32, places * inBytes / 4));
        Tensor allResults = Tensor.allocate(device, DType.F32, places * outBytes / 4);
        Tensor weights =
            filled(Tensor.allocate(device, DType.F32, kernel, kernel, problem.inChannels()));
        Memcpy memcpy = new Memcpy(inBytes + outBytes, threads, places)) {
      for (int place = 0; place < places; place++) {
        sources.add(
            allSources.slice(
                place * inBytes,
                DType.F32,
                batch,
                problem.height(),
                problem.width(),
                problem.inChannels()));
        results.add(
            allResults.slice(
                place * outBytes,
                DType.F32,
                batch,
                shape.outHeight(),
                shape.outWidth(),
                problem.inChannels()));
      }
      int repeats =
          repeats(() -> conv.forward(stream, sources.get(0), weights, null, results.get(0)));
      List<Timing> timings =
          rounds.measure(
              List.of(
                  () -> {
                    for (int i = 0; i < repeats; i++) {
                      Tensor src = sources.get(i % places);
                      conv.forward(stream, src, weights, null, results.get(i % places));
                    }
                    stream.synchronize();
                  },
                  () -> memcpy.copy(repeats)));
      return new Measurement(
          problem.name() + "/forward/batch" + batch + "/f32/" + (cold ? "cold" : "warm"),
          "time",
          "memcpy",
          timings.get(0).dividedBy(repeats),
          timings.get(1).dividedBy(repeats),
          cold ? AIM : Double.NaN,
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
