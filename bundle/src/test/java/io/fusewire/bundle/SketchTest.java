// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;

final class SketchTest {
  private static float[] values(int count, long seed) {
    Random random = new Random(seed);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  @Test
  void shortResultsAreKeptWhole() {
    float[] values = values(100, 1);
    float[] other = values.clone();
    other[7] += 0.5f;
    assertEquals(100, Sketch.of(values).sums().length);
    assertEquals(0.5, Sketch.of(values).distance(Sketch.of(other)), 1e-6);
  }

  @Test
  void distancesOfLongResultsAreEstimated() {
    float[] values = values(50_000, 1);
    float[] noise = values(50_000, 2);
    float[] other = new float[values.length];
    double squares = 0;
    for (int i = 0; i < values.length; i++) {
      other[i] = values[i] + 1e-4f * noise[i];
      squares += 1e-8 * noise[i] * noise[i];
    }
    Sketch sketch = Sketch.of(values);
    assertEquals(64, sketch.sums().length);
    double estimate = sketch.distance(Sketch.of(other));
    assertEquals(1, estimate / Math.sqrt(squares), 0.25);
    assertEquals(1, sketch.norm() / Math.sqrt(50_000), 0.25);
  }

  @Test
  void oneWrongElementOfManyShows() {
    float[] values = values(50_000, 1);
    float[] other = values.clone();
    other[33_333] += 1;
    assertEquals(1, Sketch.of(values).distance(Sketch.of(other)), 1e-3);
    assertFalse(Sketch.of(values).sameBits(Sketch.of(other)));
  }

  @Test
  void zerosOfBothSignsAreOtherBitsAndNoDistance() {
    float[] values = values(1000, 1);
    float[] other = values.clone();
    values[5] = 0f;
    other[5] = -0f;
    assertFalse(Sketch.of(values).sameBits(Sketch.of(other)));
    assertEquals(0, Sketch.of(values).distance(Sketch.of(other)));
  }

  @Test
  void notANumberIsNeverNear() {
    float[] values = values(1000, 1);
    values[999] = Float.NaN;
    assertTrue(Double.isNaN(Sketch.of(values).norm()));
  }
}
