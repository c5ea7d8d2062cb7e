// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.layers.Match;
import io.fusewire.bench.layers.Operation;
import io.fusewire.bench.layers.Problem;
import io.fusewire.bench.peer.Memcpy;
import io.fusewire.ops.Stream;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * Operations beside libtorch's and beside memcpy of as many bytes, which all work on the same
 * number of places. Every case compares results before it measures.
 */
final class OperationCases {
  /** Several times the last-level cache. */
  static final long COLD_BYTES = 160L << 20;

  /** Results of f32 operations that compute the same differ by less. */
  private static final double WORST_ERROR = 1e-3;

  /** One run takes at least about this long, so that starting threads does not count. */
  private static final double RUN_SECONDS = 0.004;

  private static final int TRIALS = 3;

  private final Stream stream;
  private final int threads;
  private final int batch;
  private final Rounds rounds;
  private final long spread;
  private final Peak peak;

  /**
   * Measures the peak.
   *
   * @param spread bytes that calls go through before they come back to the same place; 0 for warm
   *     caches
   */
  OperationCases(Stream stream, int threads, int batch, Rounds rounds, long spread)
      throws InterruptedException {
    this.stream = stream;
    this.threads = threads;
    this.batch = batch;
    this.rounds = rounds;
    this.spread = spread;
    this.peak = Peak.measure(stream);
  }

  Peak peak() {
    return peak;
  }

  /** Measures an operation; null if the problem has no such operation. */
  OperationResult measure(Problem problem, Operation operation) throws Exception {
    String name =
        "%s/%s/batch%d/f32%s"
            .formatted(problem.name(), operation.label(), batch, spread == 0 ? "/warm" : "");
    try (Match match = Match.open(stream, problem, batch, operation, spread)) {
      if (match == null) {
        return null;
      }
      Match.Difference difference = match.compare();
      if (!(difference.relative() < WORST_ERROR)) {
        throw new IllegalStateException(
            name
                + ": the contenders do not compute the same, relative error "
                + difference.relative());
      }
      try (Memcpy memcpy = new Memcpy(match.leastBytes(), threads, match.places())) {
        int ourCalls = calls(match::ours, RUN_SECONDS);
        int theirCalls = calls(match::theirs, RUN_SECONDS);
        List<Timing> timings =
            rounds.measure(
                List.of(
                    () -> match.ours(ourCalls),
                    () -> memcpy.copy(ourCalls),
                    () -> match.theirs(theirCalls)));
        return new OperationResult(
            name,
            timings.get(0).dividedBy(ourCalls),
            timings.get(2).dividedBy(theirCalls),
            timings.get(1).dividedBy(ourCalls),
            match.leastBytes(),
            match.operations(),
            peak,
            difference);
      }
    }
  }

  /**
   * How many calls a run takes; what disturbs the machine hardly disturbs all of the trials.
   *
   * @param run makes so many calls
   * @param runSeconds how long a run takes at least
   */
  static int calls(IntConsumer run, double runSeconds) {
    double seconds = Double.POSITIVE_INFINITY;
    for (int trial = 0; trial < TRIALS; trial++) {
      long start = System.nanoTime();
      run.accept(1);
      seconds = Math.min(seconds, (System.nanoTime() - start) * 1e-9);
    }
    return Math.max(1, (int) Math.ceil(runSeconds / seconds));
  }
}
