// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.data.Batch;
import io.fusewire.data.BatchLoader;
import io.fusewire.data.Dataset;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class InputStageTest {
  /** Images of three bytes, all of them their number. */
  private static final class Numbers implements Dataset {
    @Override
    public int size() {
      return 60;
    }

    @Override
    public int height() {
      return 1;
    }

    @Override
    public int width() {
      return 3;
    }

    @Override
    public int channels() {
      return 1;
    }

    @Override
    public List<String> classNames() {
      return List.of("one");
    }

    @Override
    public int label(int index) {
      return index;
    }

    @Override
    public boolean read(int index, long random, byte[] target, int offset) {
      for (int i = 0; i < 3; i++) {
        target[offset + i] = (byte) index;
      }
      return true;
    }
  }

  @ParameterizedTest
  @CsvSource({"false", "true"})
  void batchesArriveInOrderAndAreUsedAgain(boolean overlapped) throws InterruptedException {
    for (Device device : Device.all()) {
      long live = device.liveAllocations();
      try (Stream stream = Stream.open(device);
          Tensor images = Tensor.allocate(device, DType.U8, 4, 1, 3, 1);
          Tensor labels = Tensor.allocate(device, DType.I32, 4)) {
        Set<Batch> batches = new HashSet<>();
        try (InputStage input = new InputStage(stream, images, labels, overlapped)) {
          for (int pass = 0; pass < 2; pass++) {
            int seen = 0;
            try (BatchLoader loader =
                new BatchLoader(
                    new Numbers(),
                    IntStream.range(0, 60).toArray(),
                    4,
                    0,
                    true,
                    1,
                    0,
                    input.pool())) {
              for (Batch batch = loader.next(); batch != null; batch = loader.next()) {
                batches.add(batch);
                input.put(batch);
                input.recycle(false);
                int[] expected = {seen, seen + 1, seen + 2, seen + 3};
                assertArrayEquals(expected, labels.toInts(stream));
                byte[] bytes = new byte[12];
                images.copyTo(stream, bytes);
                for (int i = 0; i < 12; i++) {
                  assertEquals(seen + i / 3, bytes[i]);
                }
                seen += 4;
              }
              input.recycle(true);
            }
            assertEquals(60, seen);
          }
        }
        assertTrue(batches.size() <= 6, () -> batches.size() + " batches in memory");
      }
      assertEquals(live, device.liveAllocations());
    }
  }
}
