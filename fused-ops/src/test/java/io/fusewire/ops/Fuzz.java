// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import java.util.Random;
import java.util.function.Consumer;

/** Runs a check with many seeds; a failure says how to run its seed again. */
final class Fuzz {
  /** Seed of the first run; {@code -Dfusewire.seed=N} replays one. */
  private static final long SEED = Long.getLong("fusewire.seed", 20261123L);

  private static final int RUNS = Integer.getInteger("fusewire.fuzz.runs", 40);

  private Fuzz() {}

  @SafeVarargs
  static <T> T any(Random random, T... choices) {
    return choices[random.nextInt(choices.length)];
  }

  static void run(Class<?> test, Device device, Consumer<Random> check) {
    int runs = device.kind() == Device.Kind.CHECKED ? Math.max(1, RUNS / 8) : RUNS;
    for (long seed = SEED; seed < SEED + runs; seed++) {
      try {
        check.accept(new Random(seed));
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError(
            e.getMessage()
                + "; replay: mvn -pl fused-ops -am package -Dsurefire.failIfNoSpecifiedTests=false"
                + " -Dfusewire.fuzz.runs=1 -Dfusewire.seed="
                + seed
                + " '-Dtest="
                + test.getSimpleName()
                + "#random*'",
            e);
      }
    }
  }
}
