// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.ops.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MemoryPlanTest {

  private static Step step(String name, List<Value> reads, List<Value> writes, long workspace) {
    return new Step(name, reads, writes, workspace, m -> () -> {});
  }

  private static Value bytes(String name, long count) {
    return new Value(name, DType.U8, count);
  }

  @Test
  void chainNeedsTwoOfItsValuesAtATime() {
    List<Step> steps = new ArrayList<>();
    Value first = bytes("v0", 1024);
    Value last = first;
    for (int i = 1; i <= 10; i++) {
      Value next = bytes("v" + i, 1024);
      steps.add(step("s" + i, List.of(last), List.of(next), 0));
      last = next;
    }
    MemoryPlan plan = MemoryPlan.of(steps, List.of(first), List.of(last));
    assertEquals(2048, plan.arenaBytes());
    assertEquals(2048, plan.lowerBound());
  }

  @Test
  void savedValuesLiveUntilTheBackwardPass() {
    Value x = bytes("x", 300);
    Value y = bytes("y", 500);
    Value dy = bytes("dy", 500);
    List<Step> steps =
        List.of(
            step("forward", List.of(x), List.of(y), 100),
            step("loss", List.of(y), List.of(dy), 0),
            step("backward", List.of(x, dy), List.of(dy), 0));
    MemoryPlan plan = MemoryPlan.of(steps, List.of(x), List.of(dy));
    assertEquals(-1, plan.place(x).first());
    assertEquals(2, plan.place(x).last());
    assertEquals(3, plan.place(dy).last());
    assertEquals(512 + 512 + 512, plan.lowerBound());
  }

  @Test
  void refusesToReadWhatNothingHasWritten() {
    Value x = bytes("x", 1);
    List<Step> steps = List.of(step("early", List.of(x), List.of(), 0));
    String message =
        assertThrows(
                IllegalArgumentException.class, () -> MemoryPlan.of(steps, List.of(), List.of()))
            .getMessage();
    assertTrue(message.contains("early") && message.contains("x"), message);
    assertThrows(
        IllegalArgumentException.class, () -> MemoryPlan.of(List.of(), List.of(), List.of(x)));
  }

  /**
   * Runs random lists of steps on a simulated arena: whatever a step writes is marked over all its
   * bytes, and whatever a step reads must still carry its own mark.
   */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
  void liveValuesNeverOverlap(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<Value> inputs = new ArrayList<>();
    for (int i = 0; i <= random.nextInt(3); i++) {
      inputs.add(bytes("in" + i, 1 + random.nextInt(5000)));
    }
    List<Value> known = new ArrayList<>(inputs);
    List<Step> steps = new ArrayList<>();
    for (int s = 0; s < 60; s++) {
      List<Value> reads = new ArrayList<>();
      List<Value> writes = new ArrayList<>();
      for (int i = 0; i <= random.nextInt(3); i++) {
        reads.add(known.get(known.size() - 1 - random.nextInt(Math.min(known.size(), 20))));
      }
      for (int i = 0; i < random.nextInt(3); i++) {
        writes.add(bytes("v" + s + "_" + i, 1 + random.nextInt(5000)));
      }
      if (random.nextInt(4) == 0) {
        writes.add(reads.get(0));
      }
      steps.add(step("s" + s, reads, writes, random.nextInt(3) == 0 ? random.nextInt(3000) : 0));
      writes.stream().filter(v -> !known.contains(v)).forEach(known::add);
    }
    List<Value> outputs = List.of(known.get(random.nextInt(known.size())), known.get(0));
    MemoryPlan plan = MemoryPlan.of(steps, inputs, outputs);
    assertTrue(plan.arenaBytes() >= plan.lowerBound());

    Object[] arena = new Object[Math.toIntExact(plan.arenaBytes())];
    inputs.forEach(v -> mark(arena, plan.place(v).offset(), v.bytes(), v));
    for (int s = 0; s < steps.size(); s++) {
      Step step = steps.get(s);
      mark(arena, plan.workspaceOffset(s), step.workspaceBytes(), "workspace");
      step.reads().forEach(v -> check(arena, plan, v, step));
      step.writes().forEach(v -> mark(arena, plan.place(v).offset(), v.bytes(), v));
      // All that a step touches is there at the same time.
      step.reads().forEach(v -> check(arena, plan, v, step));
      step.writes().forEach(v -> check(arena, plan, v, step));
      for (int b = 0; b < step.workspaceBytes(); b++) {
        assertEquals("workspace", arena[(int) plan.workspaceOffset(s) + b], step.name());
      }
    }
    outputs.forEach(v -> check(arena, plan, v, steps.get(steps.size() - 1)));
  }

  private static void mark(Object[] arena, long offset, long bytes, Object mark) {
    assertEquals(0, offset % MemoryPlan.ALIGNMENT);
    for (long b = offset; b < offset + bytes; b++) {
      arena[(int) b] = mark;
    }
  }

  private static void check(Object[] arena, MemoryPlan plan, Value value, Step step) {
    long offset = plan.place(value).offset();
    for (long b = offset; b < offset + value.bytes(); b++) {
      assertEquals(value, arena[(int) b], () -> step.name() + " lost " + value);
    }
  }
}
