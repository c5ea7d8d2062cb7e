// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("unit")
class GraphTest {
  private static final int COUNT = 4 * 30;

  /** A sum with random drops, then an optimizer's step on it. */
  private static final class Work implements AutoCloseable {
    final Lab lab;
    final StepState step;
    final LossScale scale;
    final Tensor branch;
    final Tensor gradient;
    final Tensor value;
    final Tensor momentum;
    final Tensor workspace;
    final ParameterTable table;
    final Residual residual = new Residual(4, COUNT / 4, DType.F32, 0.5f, 1);
    final Optimizer optimizer = new Optimizer(OptimizerSettings.sgd(true));

    Work(Lab lab) {
      this.lab = lab;
      step = new StepState(lab.stream);
      scale = new LossScale(lab.stream, 1);
      branch = lab.out(DType.F32, 4, COUNT / 4);
      gradient = lab.out(DType.F32, 4, COUNT / 4);
      value = lab.in(DType.F32, new double[COUNT], COUNT);
      momentum = lab.in(DType.F32, new double[COUNT], COUNT);
      table =
          ParameterTable.builder(lab.stream)
              .add(value, gradient, momentum, null, null, 0.1f, 1)
              .build();
      workspace = lab.workspace(optimizer.workspaceBytes(lab.stream, table));
    }

    void run() {
      residual.backward(lab.stream, step, branch, gradient);
      optimizer.examine(lab.stream, table, scale, workspace);
      optimizer.step(lab.stream, table, step, scale);
    }

    void prepare(int number) {
      double[] values = new double[COUNT];
      Arrays.setAll(values, i -> Math.sin(i + number));
      branch.copyFrom(lab.stream, Numbers.floats(values));
      step.set(lab.stream, 7, number, 0.1f / (1 + number), 0.9f, 0, 1, 1);
    }

    @Override
    public void close() {
      table.close();
      step.close();
      scale.close();
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void replaysHaveTheBitsOfCallsMadeAnew(Device device) {
    float[][] expected = new float[4][];
    try (Lab lab = new Lab(device);
        Work work = new Work(lab)) {
      for (int number = 0; number < 4; number++) {
        work.prepare(number);
        work.run();
        expected[number] = work.value.toFloats(lab.stream);
      }
    }
    try (Lab lab = new Lab(device);
        Work work = new Work(lab);
        Graph graph = lab.stream.capture("step", work::run)) {
      assertArrayEquals(new float[COUNT], work.value.toFloats(lab.stream), "nothing has run");
      assertTrue(graph.launches() >= 3, () -> graph.launches() + " launches");
      assertEquals("step", graph.name());
      long allocations = device.allocationsMade();
      for (int number = 0; number < 4; number++) {
        work.prepare(number);
        graph.launch(lab.stream);
        assertArrayEquals(expected[number], work.value.toFloats(lab.stream), "step " + number);
      }
      assertEquals(allocations, device.allocationsMade());
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void whatCannotBeCapturedEndsTheCapture(Device device) {
    try (Lab lab = new Lab(device);
        Work work = new Work(lab);
        Event event = Event.open(device)) {
      Stream stream = lab.stream;
      float[] host = new float[COUNT];
      Runnable[] impossible = {
        stream::synchronize,
        () -> work.value.copyTo(stream, host),
        () -> work.value.copyFrom(stream, host),
        () -> work.prepare(1),
        () -> event.record(stream),
        () -> stream.waitFor(event),
        () -> Tensor.allocate(device, DType.F32, 3).close(),
        () -> PinnedMemory.allocate(device, 3).close(),
        () -> stream.capture("inner", work::run).close(),
      };
      for (int i = 0; i < impossible.length; i++) {
        Runnable each = impossible[i];
        String message =
            assertThrows(
                    UnsupportedException.class,
                    () ->
                        stream.capture(
                            "outer",
                            () -> {
                              work.run();
                              each.run();
                            }),
                    "case " + i)
                .getMessage();
        assertTrue(message.contains("\"outer\""), message);
        stream.synchronize();
      }
      ArithmeticException mine = new ArithmeticException("mine");
      assertEquals(
          mine,
          assertThrows(
              ArithmeticException.class,
              () ->
                  stream.capture(
                      "outer",
                      () -> {
                        throw mine;
                      })));
      assertThrows(IllegalArgumentException.class, () -> stream.capture(null, work::run));
      assertThrows(IllegalArgumentException.class, () -> stream.capture("none", null));
      assertThrows(
          IllegalStateException.class,
          () -> {
            Stream closing = Stream.open(device);
            closing.capture("closing", closing::close);
          });
      work.prepare(0);
      work.run();
      assertFalse(Arrays.equals(new float[COUNT], work.value.toFloats(stream)));
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void aGraphLooksAfterItsTensors(Device device) {
    try (Lab lab = new Lab(device);
        Tensor kept = Tensor.allocate(device, DType.F32, 8)) {
      Tensor closed = Tensor.allocate(device, DType.F32, 8);
      Tensor slice = closed.slice(16, DType.F32, 4);
      Graph graph =
          lab.stream.capture(
              "slices", () -> slice.copyFrom(lab.stream, kept.slice(0, DType.F32, 4)));
      graph.launch(lab.stream);
      lab.stream.synchronize();
      closed.close();
      String message =
          assertThrows(IllegalStateException.class, () -> graph.launch(lab.stream)).getMessage();
      assertTrue(message.contains("graph \"slices\""), message);
      assertTrue(message.contains("uses a tensor that is closed"), message);
      graph.close();
      graph.close();
      assertThrows(IllegalStateException.class, () -> graph.launch(lab.stream));
      assertThrows(IllegalStateException.class, graph::launches);
      assertThrows(IllegalArgumentException.class, () -> graph.launch(null));
    }
    try (Lab lab = new Lab(device)) {
      // What only a table refers to counts as well.
      Work work = new Work(lab);
      Tensor momentum = Tensor.allocate(device, DType.F32, COUNT).fill(lab.stream, 0);
      try (ParameterTable table =
              ParameterTable.builder(lab.stream)
                  .add(work.value, work.gradient, momentum, null, null, 0, 1)
                  .build();
          Graph graph =
              lab.stream.capture(
                  "table", () -> work.optimizer.step(lab.stream, table, work.step, work.scale))) {
        momentum.close();
        assertThrows(IllegalStateException.class, () -> graph.launch(lab.stream));
      }
      work.close();
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void pinnedMemoryArrives(Device device) {
    try (Lab lab = new Lab(device);
        PinnedMemory memory = PinnedMemory.allocate(device, 40)) {
      for (int i = 0; i < 10; i++) {
        memory.buffer().putFloat(i * Float.BYTES, i);
      }
      assertEquals(40, memory.bytes());
      Tensor tensor = lab.out(DType.F32, 10).copyFromAsync(lab.stream, memory);
      assertArrayEquals(new float[] {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, tensor.toFloats(lab.stream));
      Tensor other = lab.out(DType.F32, 9);
      assertThrows(IllegalArgumentException.class, () -> other.copyFromAsync(lab.stream, memory));
      memory.close();
      memory.close();
      assertThrows(IllegalStateException.class, () -> tensor.copyFromAsync(lab.stream, memory));
      assertEquals(9, memory.buffer().getFloat(36), "the buffer stays valid");
    }
    assertThrows(IllegalArgumentException.class, () -> PinnedMemory.allocate(device, 0));
    assertThrows(
        IllegalArgumentException.class, () -> PinnedMemory.allocate(device, Integer.MAX_VALUE));
    assertThrows(IllegalArgumentException.class, () -> PinnedMemory.allocate(null, 1));
  }
}
