// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.model.Block;
import io.fusewire.model.EfficientNet;
import io.fusewire.model.Padding;
import java.io.IOException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class DepthwiseProblemTest {
  @Test
  void theFileHasEveryDepthwiseShapeOfB0() throws IOException {
    Set<List<Integer>> expected = new LinkedHashSet<>();
    int side = (int) Padding.SAME.output(224, 3, 2);
    for (Block block : EfficientNet.b0().build().blocks()) {
      expected.add(List.of(side, block.expandedChannels(), block.kernel(), block.stride()));
      side = (int) Padding.SAME.output(side, block.kernel(), block.stride());
    }
    Set<List<Integer>> listed = new LinkedHashSet<>();
    for (DepthwiseProblem p : DepthwiseProblem.all()) {
      assertEquals(p.height(), p.width());
      listed.add(List.of(p.height(), p.channels(), p.kernel(), p.stride()));
    }
    assertEquals(expected, listed);
  }

  @Test
  void aLineThatDoesNotFitIsNamed() {
    var error =
        assertThrows(
            IllegalArgumentException.class, () -> DepthwiseProblem.parse("b0:stage0/dw h112 c32"));
    assertTrue(error.getMessage().contains("b0:stage0/dw h112 c32"), error.getMessage());
  }
}
