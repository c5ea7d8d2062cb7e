// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

final class OperationTest {
  @Test
  void aFirstWordMeansAllThatBeginWithIt() {
    assertEquals(List.of(Operation.FORWARD), Operation.meant(List.of("forward")));
    assertEquals(
        List.of(Operation.BACKWARD, Operation.BACKWARD_DATA, Operation.BACKWARD_WEIGHTS),
        Operation.meant(List.of("Backward", "backward-data")));
    assertEquals(
        List.of(Operation.FUSED_FORWARD, Operation.INFERENCE, Operation.INFERENCE_EXPANDED),
        Operation.meant(List.of("inference", "fused-forward")));
    assertEquals(List.of(Operation.values()), Operation.meant(List.of("all")));
  }

  @Test
  void anUnknownWordIsToldWhatThereIs() {
    String message =
        assertThrows(IllegalArgumentException.class, () -> Operation.meant(List.of("back")))
            .getMessage();
    assertTrue(message.contains("'back'; there are forward, backward,"), message);
  }
}
