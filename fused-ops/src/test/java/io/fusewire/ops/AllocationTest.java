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

  /** Bytes that this thread allocates in a run, after a few runs to warm up. */
  private static long allocated(Runnable run) {
    for (int i = 0; i < 50; i++) {
      run.run();
    }
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 20; i++) {
      long before = THREADS.getCurrentThreadAllocatedBytes();
      run.run();
      least = Math.min(least, THREADS.getCurrentThreadAllocatedBytes() - before);
    }
    return least;
  }

  @Test
  void theMeasureWorks() {
    byte[][] keep = new byte[1][];
    assertTrue(allocated(() -> keep[0] = new byte[100]) >= 100);
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
      Stream stream = lab.stream.threads(1);
      Tensor image = lab.in(DType.F32, new double[2 * 4 * 4 * 8], 2, 4, 4, 8);
      Tensor result = lab.in(DType.F32, new double[2 * 4 * 4 * 8], 2, 4, 4, 8);
      Tensor gradient = lab.in(DType.F32, new double[2 * 4 * 4 * 8], 2, 4, 4, 8);
      Tensor filter = lab.in(DType.F32, new double[72], 3, 3, 8);
      Tensor diffFilter = lab.out(DType.F32, 3, 3, 8);
      Tensor matrix = lab.in(DType.F32, new double[64], 8, 8);
      Tensor vector = lab.in(DType.F32, new double[8], 8);
      Tensor mean = lab.out(DType.F32, 8);
      Tensor invStd = lab.out(DType.F32, 8);
      Tensor pooled = lab.out(DType.F32, 2, 8);

      DepthwiseConv depthwise =
          new DepthwiseConv(ConvShape.same(2, 4, 4, 8, 8, 3, 1), DType.F32, Activation.SILU);
      Tensor depthwiseSpace = lab.workspace(depthwise.workspaceBytes(stream));
      assertEquals(
          0,
          allocated(
              () -> {
                depthwise.forward(stream, image, filter, vector, result);
                depthwise.backwardData(stream, gradient, filter, result);
                depthwise.backwardWeights(
                    stream, image, gradient, diffFilter, null, depthwiseSpace);
              }),
          "depthwise");
      PointwiseConv pointwise = new PointwiseConv(32, 8, 8, DType.F32, Activation.SILU);
      Tensor pointwiseSpace = lab.workspace(pointwise.workspaceBytes(stream));
      assertEquals(
          0,
          allocated(
              () -> {
                pointwise.forward(
                    stream, image, matrix, vector, null, result, null, pointwiseSpace);
                pointwise.backwardData(
                    stream, gradient, matrix, null, null, result, pointwiseSpace);
              }),
          "pointwise");
      BatchNorm norm = new BatchNorm(32, 8, DType.F32, Activation.SILU, 1e-3f, 0.01f);
      Tensor normSpace = lab.workspace(norm.workspaceBytes(stream));
      assertEquals(
          0,
          allocated(
              () ->
                  norm.forwardTraining(
                      stream, image, vector, vector, null, null, mean, invStd, result, normSpace)),
          "batch norm");
      Residual residual = new Residual(2, 128, DType.F32, 0.2f, 1);
      MeanPool pool = new MeanPool(2, 16, 8, DType.F32);
      Tensor poolSpace = lab.workspace(pool.workspaceBytes(stream));
      assertEquals(
          0,
          allocated(
              () -> {
                step.random(stream, 1, 2);
                residual.forward(stream, step, image, gradient, result);
                pool.forward(stream, image, pooled, poolSpace);
              }),
          "residual and mean pool");
    }
  }
}
