// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import java.util.ArrayList;
import java.util.List;

/**
 * Measures contenders in turn, round after round, so that whatever else the machine does falls on
 * all of them alike.
 *
 * @param warmUps rounds that are not counted
 * @param rounds rounds that are
 * @param restMillis pause before a run: the thread pools of OpenMP, OpenBLAS and ONNX Runtime keep
 *     spinning for a while after their work, on cores that the next contender needs
 * @param restOnce whether only the first contender of a round is given the pause, because only the
 *     last one leaves threads that spin
 */
record Rounds(int warmUps, int rounds, int restMillis, boolean restOnce) {

  /** Rounds with a pause before each run. */
  Rounds(int warmUps, int rounds, int restMillis) {
    this(warmUps, rounds, restMillis, false);
  }

  /** A contender's run. */
  interface Run {
    void run() throws Exception;
  }

  /** A contender that measures its runs itself. */
  interface Contender {
    /** Runs once; gives the seconds that it took, NaN if it cannot run any more. */
    double seconds() throws Exception;
  }

  /** Measures by the host's clock; one timing per contender, in their order. */
  List<Timing> measure(List<Run> contenders) throws Exception {
    return race(contenders.stream().map(Rounds::clocked).toList());
  }

  private static Contender clocked(Run run) {
    return () -> {
      long start = System.nanoTime();
      run.run();
      return (System.nanoTime() - start) * 1e-9;
    };
  }

  /** Measures; one timing per contender, in their order, all NaN for one that failed. */
  List<Timing> race(List<? extends Contender> contenders) throws Exception {
    double[][] seconds = new double[contenders.size()][rounds];
    for (int round = -warmUps; round < rounds; round++) {
      for (int i = 0; i < contenders.size(); i++) {
        if (i == 0 || !restOnce) {
          Thread.sleep(restMillis);
        }
        double taken = contenders.get(i).seconds();
        if (round >= 0) {
          seconds[i][round] = taken;
        }
      }
    }
    List<Timing> timings = new ArrayList<>();
    for (double[] runs : seconds) {
      timings.add(Timing.of(runs));
    }
    return timings;
  }
}
