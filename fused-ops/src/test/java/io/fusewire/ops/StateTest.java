// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** State in device memory: workspaces, the step, the loss scale. */
@Tag("unit")
class StateTest {
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void aWorkspaceGrowsAndNeverShrinks(Device device) {
    long before = device.liveAllocations();
    try (Workspace workspace = new Workspace(device)) {
      assertNull(workspace.reserve(0).tensor());
      Tensor small = workspace.reserve(100).tensor();
      assertEquals(100, workspace.bytes());
      assertSame(small, workspace.reserve(50).tensor());
      Tensor large = workspace.reserve(1000).tensor();
      assertEquals(1000, large.bytes());
      assertTrue(small.isClosed());
      assertEquals(before + 1, device.liveAllocations());
      assertThrows(IllegalArgumentException.class, () -> workspace.reserve(-1));
      workspace.close();
      assertThrows(IllegalStateException.class, workspace::tensor);
      assertThrows(IllegalStateException.class, () -> workspace.reserve(1));
    }
    assertEquals(before, device.liveAllocations());
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void theLossScaleIsReadAsItWasSet(Device device) {
    try (Stream stream = Stream.open(device)) {
      LossScale scale = new LossScale(stream, 1024);
      assertEquals(new LossScale.Values(1024, 0, false, 0, 0), scale.read(stream));
      LossScale.Values values = new LossScale.Values(0.5f, 7, true, 3, 2.5f);
      scale.set(stream, values);
      assertEquals(values, scale.read(stream));
      for (float wrong : new float[] {0, -1, Float.NaN, Float.POSITIVE_INFINITY}) {
        assertThrows(IllegalArgumentException.class, () -> new LossScale(stream, wrong));
      }
      scale.close();
      scale.close();
      assertThrows(IllegalStateException.class, () -> scale.read(stream));
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void aClosedStepIsRefused(Device device) {
    try (Lab lab = new Lab(device)) {
      StepState step = new StepState(lab.stream);
      Tensor tensor = lab.in(DType.F32, new double[2], 1, 2);
      Residual residual = new Residual(1, 2, DType.F32, 0.5f, 0);
      residual.backward(lab.stream, step, tensor, tensor);
      step.close();
      step.close();
      IllegalStateException e =
          assertThrows(
              IllegalStateException.class,
              () -> residual.backward(lab.stream, step, tensor, tensor));
      assertTrue(e.getMessage().contains("step is closed"), e.getMessage());
      assertThrows(IllegalStateException.class, () -> step.random(lab.stream, 1, 1));
    }
  }
}
