// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.layers.Conditions;
import io.fusewire.bench.layers.Difference;
import io.fusewire.bench.layers.Match;
import io.fusewire.bench.layers.Operation;
import io.fusewire.bench.layers.Problem;
import io.fusewire.bench.peer.Copies;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * Operations beside peers and beside a copy of as many bytes, which all work on the same number of
 * places. Every case compares results before it measures: with libtorch's where that takes part,
 * else, for two images, with the CPU's in f32.
 */
final class OperationCases {
  /** Several times a CPU's last-level cache. */
  static final long COLD_BYTES = 160L << 20;

  /** More than twice the second-level cache of any GPU, 126 MB. */
  private static final long COLD_BYTES_GPU = 320L << 20;

  /** One run takes at least about this long, so that starting threads does not count. */
  private static final double RUN_SECONDS = 0.004;

  /** What a GPU's stream takes without waiting, however many launches a call makes. */
  private static final int MOST_QUEUED_CALLS = 100;

  private static final int TRIALS = 3;

  private final Conditions conditions;
  private final Clock clock;
  private final int batch;
  private final Rounds rounds;
  private final Limits limits;
  private final PyTorchCases pyTorch;

  /**
   * Remembers how to measure.
   *
   * @param conditions where and how, with {@link #coldBytes} or 0 as spread
   * @param clock of that stream
   * @param limits what the device can do
   * @param pyTorch who runs beside us in another process; null for nobody
   */
  OperationCases(
      Conditions conditions,
      Clock clock,
      int batch,
      Rounds rounds,
      Limits limits,
      PyTorchCases pyTorch) {
    this.conditions = conditions;
    this.clock = clock;
    this.batch = batch;
    this.rounds = rounds;
    this.limits = limits;
    this.pyTorch = pyTorch;
  }

  /** Bytes that calls must go through before they come back, to miss a device's caches. */
  static long coldBytes(Device device) {
    return device.kind() == Device.Kind.CUDA ? COLD_BYTES_GPU : COLD_BYTES;
  }

  /** Results that compute the same differ by less, as 2-norms. */
  static double worstError(DType dtype) {
    return switch (dtype) {
      case BF16 -> 5e-2;
      case F16 -> 1e-2;
      default -> 1e-3;
    };
  }

  private double worstError() {
    // TF32 has as many significant bits as f16.
    return worstError(conditions.stream().tf32Allowed() ? DType.F16 : conditions.dtype());
  }

  /** A case's name. */
  private String name(Problem problem, Operation operation) {
    return "%s/%s/batch%d/%s%s"
        .formatted(
            problem.name(),
            operation.label(),
            batch,
            DeviceChoice.typeName(conditions.stream(), conditions.dtype()),
            conditions.spread() == 0 ? "/warm" : "");
  }

  /**
   * Measures an operation; null if the problem has no such operation.
   *
   * @throws io.fusewire.ops.UnsupportedException if the device cannot do it for this shape
   * @throws io.fusewire.ops.DeviceMemoryException if the device has too little memory
   */
  OperationResult measure(Problem problem, Operation operation) throws Exception {
    String name = name(problem, operation);
    try (Match match = Match.open(conditions, problem, batch, operation)) {
      if (match == null) {
        return null;
      }
      Difference difference = difference(match, problem, operation);
      if (difference != null && !(difference.relative() < worstError())) {
        throw new DifferentResults(
            name
                + ": the contenders do not compute the same, relative error "
                + difference.relative());
      }
      try (Copies copies = Limits.copies(conditions.stream(), match.leastBytes(), match.places())) {
        return race(name, match, copies, problem, operation, difference);
      }
    }
  }

  private OperationResult race(
      String name,
      Match match,
      Copies copies,
      Problem problem,
      Operation operation,
      Difference difference)
      throws Exception {
    int ourCalls = calls(match::ours, RUN_SECONDS);
    if (conditions.stream().device().kind() == Device.Kind.CUDA) {
      ourCalls = Math.min(ourCalls, MOST_QUEUED_CALLS);
    }
    int calls = ourCalls;
    List<Rounds.Contender> contenders = new ArrayList<>();
    contenders.add(() -> clock.seconds(() -> match.queue(calls)) / calls);
    contenders.add(() -> clock.seconds(() -> copies.queue(calls)) / calls);
    if (conditions.libtorch()) {
      int theirCalls = calls(match::theirs, RUN_SECONDS);
      WallClock wall = new WallClock(conditions.stream());
      contenders.add(() -> wall.seconds(() -> match.theirs(theirCalls)) / theirCalls);
    }
    List<PeerTime> peers = new ArrayList<>();
    List<Timing> timings;
    if (pyTorch == null) {
      timings = rounds.race(contenders);
    } else {
      timings = pyTorch.race(problem, operation, batch, conditions, contenders, rounds, peers);
    }
    if (conditions.libtorch()) {
      peers.add(0, new PeerTime("libtorch", timings.get(2), null));
    }
    return new OperationResult(
        name,
        timings.get(0),
        peers,
        timings.get(1),
        copies.label(),
        match.leastBytes(),
        match.operations(),
        limits,
        difference);
  }

  /** Our error; null where there is nothing to compare with. */
  private Difference difference(Match match, Problem problem, Operation operation) {
    if (conditions.libtorch()) {
      return match.compare();
    }
    boolean isReference =
        conditions.dtype() == DType.F32 && conditions.stream().device().kind() == Device.Kind.CPU;
    return isReference ? null : Match.compareWithCpu(conditions, problem, operation);
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
