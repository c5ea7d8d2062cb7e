// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BatchLoaderTest {

  /** Images of one byte each, which is their number; every tenth cannot be used. */
  private static class Numbers implements Dataset {
    @Override
    public int size() {
      return 45;
    }

    @Override
    public int height() {
      return 1;
    }

    @Override
    public int width() {
      return 1;
    }

    @Override
    public int channels() {
      return 1;
    }

    @Override
    public List<String> classNames() {
      return List.of("even", "odd");
    }

    @Override
    public int label(int index) {
      return index % 2;
    }

    @Override
    public boolean read(int index, long random, byte[] target, int offset) {
      target[offset] = (byte) index;
      return index % 10 != 3;
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5})
  void batchesComeInOrderForAnyNumberOfThreads(int threads) throws InterruptedException {
    int[] order = IntStream.range(0, 45).map(i -> 44 - i).toArray();
    List<Integer> seen = new ArrayList<>();
    int bad = 0;
    try (BatchLoader loader = new BatchLoader(new Numbers(), order, 8, 0, false, threads, 1)) {
      for (Batch batch = loader.next(); batch != null; batch = loader.next()) {
        int counted = 0;
        for (int i = 0; i < 8; i++) {
          if (batch.labels()[i] >= 0) {
            seen.add((int) batch.images().get(i));
            assertEquals(seen.get(seen.size() - 1) % 2, batch.labels()[i]);
            counted++;
          } else {
            bad++;
          }
        }
        assertEquals(counted, batch.counted());
        loader.recycle(batch);
      }
      assertNull(loader.next());
    }
    assertEquals(5 + 3, bad, "5 unusable ones and 3 that fill the last batch");
    assertEquals(
        IntStream.range(0, 45).map(i -> 44 - i).filter(i -> i % 10 != 3).boxed().toList(), seen);
  }

  @Test
  void startsWhereAResumedPassGoesOnAndDropsTheRest() throws InterruptedException {
    int[] order = IntStream.range(0, 45).toArray();
    try (BatchLoader loader = new BatchLoader(new Numbers(), order, 10, 3, true, 2, 1)) {
      assertEquals(30, loader.next().images().get(0));
      assertNull(loader.next());
    }
  }

  @Test
  void anUnusableImageKeepsTheOneBeforeIt() throws InterruptedException {
    try (BatchLoader loader =
        new BatchLoader(new Numbers(), new int[] {7, 13, 8}, 3, 0, true, 1, 1)) {
      Batch batch = loader.next();
      assertEquals(Batch.NO_LABEL, batch.labels()[1]);
      assertEquals(8, batch.images().get(2));
      assertEquals(2, batch.counted());
    }
  }

  @Test
  void aFailureOfTheDataSetReachesTheReader() {
    Dataset failing =
        new Numbers() {
          @Override
          public boolean read(int index, long random, byte[] target, int offset) {
            throw new IllegalStateException("broken disk");
          }
        };
    try (BatchLoader loader = new BatchLoader(failing, new int[] {1}, 1, 0, true, 1, 1)) {
      assertTrue(
          assertThrows(IllegalStateException.class, loader::next).getMessage().contains("disk"));
    }
  }
}
