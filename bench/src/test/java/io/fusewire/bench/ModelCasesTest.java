// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.model.EfficientNet;
import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The benchmark of a small network: that all contenders compute the same, whatever time they take.
 */
@Tag("oracle")
final class ModelCasesTest {
  @Test
  void contendersComputeTheSame() throws Exception {
    try (Stream stream = Stream.open(Device.cpu())) {
      ModelCases cases =
          new ModelCases(
              stream,
              2,
              new Rounds(0, 1, 0),
              EfficientNet.b0().resolution(64).classes(20),
              true,
              true);
      List<Measurement> measurements = new ArrayList<>(cases.infer(2));
      measurements.add(cases.train(4));
      Measurement scaling = cases.scaling(4);
      assertEquals("one thread", scaling.peer());
      assertEquals(
          List.of("onnxruntime", "libtorch", "libtorch"),
          measurements.stream().map(Measurement::peer).toList());
      assertEquals("b0@64/infer/batch2/f32", measurements.get(0).name());
      assertEquals("b0@64/train/batch4/f32", measurements.get(2).name());
      for (Measurement measurement : measurements) {
        assertTrue(measurement.error() < 1e-3, measurement.toString());
      }
    }
  }
}
