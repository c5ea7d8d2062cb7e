// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Calling an operation allocates nothing on the Java heap. */
@Tag("unit")
class AllocationTest {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private static final int CALLS = 1000;

  /** The JVM itself allocates now and then, so that one round without is what is asked for. */
  private static final int ROUNDS = 20;

  /** Bytes that this thread allocates in a round of calls: the least of all rounds. */
  private static long allocated(Runnable run) {
    long least = Long.MAX_VALUE;
    for (int round = 0; round < ROUNDS && least > 0; round++) {
      long before = THREADS.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < CALLS; i++) {
        run.run();
      }
      least = Math.min(least, THREADS.getCurrentThreadAllocatedBytes() - before);
    }
    return least;
  }

  private static void assertAllocatesNothing(String what, Runnable run) {
    assertEquals(0, allocated(run), () -> what + ": bytes in " + CALLS + " calls");
  }

  @Test
  void theMeasureWorks() {
    byte[][] keep = new byte[1][];
    assertTrue(allocated(() -> keep[0] = new byte[100]) >= 100L * CALLS);
  }

  /** The checked device runs the same Java code, slowly. */
  static List<Device> devices() {
    return Device.all().stream().filter(d -> d.kind() != Device.Kind.CHECKED).toList();
  }

  @ParameterizedTest
  @MethodSource("devices")
  void operationsAllocateNothing(Device device) {
    try (Lab lab = new Lab(device);
        StepState step = new StepState(lab.stream)) {
      for (OperationCall call : OperationCalls.all(lab, step)) {
        assertAllocatesNothing(call.method(), () -> call.run().run(lab.stream, call.tensors()));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("devices")
  void aTrainingStepsOwnCallsAllocateNothing(Device device) {
    try (Lab lab = new Lab(device);
        StepState step = new StepState(lab.stream);
        LossScale scale = new LossScale(lab.stream, 1)) {
      Stream stream = lab.stream;
      assertAllocatesNothing("StepState.random", () -> step.random(stream, 1, 2));
      assertAllocatesNothing("StepState.set", () -> step.set(stream, 1, 2, 0, 0, 0, 1, 1));
      Tensor values = lab.in(DType.F32, new double[40], 40);
      Tensor gradients = lab.in(DType.F32, new double[40], 40);
      Tensor halves = lab.out(DType.BF16, 40);
      Tensor momentum = lab.in(DType.F32, new double[40], 40);
      Tensor average = lab.in(DType.F32, new double[40], 40);
      assertAllocatesNothing("Convert.run", () -> Convert.run(stream, values, halves));
      assertAllocatesNothing("Tensor.fill", () -> halves.fill(stream, 0));
      assertAllocatesNothing("Tensor.copyFrom", () -> average.copyFrom(stream, values));
      Optimizer optimizer = new Optimizer(OptimizerSettings.sgd(false));
      try (ParameterTable table =
          ParameterTable.builder(stream)
              .add(values, gradients, momentum, null, average, 0, 1)
              .build()) {
        Tensor workspace = lab.workspace(optimizer.workspaceBytes(stream, table));
        assertAllocatesNothing(
            "Optimizer.examine", () -> optimizer.examine(stream, table, scale, workspace));
        assertAllocatesNothing("Optimizer.step", () -> optimizer.step(stream, table, step, scale));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("devices")
  void copiesOfArraysAllocateNothing(Device device) {
    try (Lab lab = new Lab(device)) {
      Stream stream = lab.stream;
      float[] floats = new float[30];
      int[] ints = new int[30];
      byte[] bytes = new byte[30];
      for (DType dtype : Lab.floating()) {
        Tensor tensor = lab.out(dtype, 30);
        assertAllocatesNothing(dtype + " from float[]", () -> tensor.copyFrom(stream, floats));
        assertAllocatesNothing(dtype + " to float[]", () -> tensor.copyTo(stream, floats));
      }
      Tensor numbers = lab.out(DType.I32, 30);
      assertAllocatesNothing("from int[]", () -> numbers.copyFrom(stream, ints));
      assertAllocatesNothing("to int[]", () -> numbers.copyTo(stream, ints));
      Tensor raw = lab.out(DType.U8, 30);
      assertAllocatesNothing("from byte[]", () -> raw.copyFrom(stream, bytes));
      assertAllocatesNothing("to byte[]", () -> raw.copyTo(stream, bytes));
    }
  }
}
