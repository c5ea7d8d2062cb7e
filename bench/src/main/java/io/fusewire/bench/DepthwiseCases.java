// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.layers.Conditions;
import io.fusewire.bench.layers.Layer;
import io.fusewire.bench.layers.Match;
import io.fusewire.bench.layers.Operation;
import io.fusewire.bench.layers.Problem;
import io.fusewire.bench.layers.ProblemFile;
import io.fusewire.bench.peer.Memcpy;
import io.fusewire.ops.DType;
import io.fusewire.ops.Stream;
import java.util.ArrayList;
import java.util.List;

/**
 * Depthwise forward beside the time of memcpy for the same bytes: source read once, result written
 * once. Cold, both go through so many tensors in turn that every byte comes from memory and goes
 * there; warm, they work on the same tensors again and again, which for small layers measures the
 * caches.
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
    for (boolean cold : new boolean[] {true, false}) {
      for (Problem problem : ProblemFile.of("b0", Layer.DEPTHWISE)) {
        measurements.add(measure(problem, cold));
      }
    }
    return measurements;
  }

  private Measurement measure(Problem problem, boolean cold) throws Exception {
    long spread = cold ? OperationCases.COLD_BYTES : 0;
    Conditions conditions = new Conditions(stream, DType.F32, false, spread);
    try (Match match = Match.open(conditions, problem, batch, Operation.FORWARD);
        Memcpy memcpy = new Memcpy(match.leastBytes(), threads, match.places())) {
      int calls = OperationCases.calls(match::ours, RUN_SECONDS);
      List<Timing> timings =
          rounds.measure(List.of(() -> match.ours(calls), () -> memcpy.queue(calls)));
      return new Measurement(
          problem.name() + "/forward/batch" + batch + "/f32/" + (cold ? "cold" : "warm"),
          "time",
          "memcpy",
          timings.get(0).dividedBy(calls),
          timings.get(1).dividedBy(calls),
          cold ? AIM : Double.NaN,
          Double.NaN);
    }
  }
}
