// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.model.Architecture;
import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class InfoCommandTest {
  @ParameterizedTest
  @CsvSource({
    "b0, 5288548", "b1, 7794184", "b2, 9109994", "b3, 12233232",
    "b4, 19341616", "b5, 30389784", "b6, 43040704", "b7, 66347960"
  })
  void parametersAreTheOfficialOnes(String model, long parameters) throws IOException {
    CommandRun run = CommandRun.of("info", model, "--json");
    assertEquals(0, run.code(), run.err());
    assertEquals(parameters, run.json().get("parameters"));
  }

  @Test
  void b0HasItsMultiplyAdds() throws IOException {
    Map<String, Object> info = CommandRun.of("info", "b0", "--json").json();
    assertEquals(0.386e9, (double) (long) info.get("macs"), 0.001e9);
    assertEquals(224L, info.get("resolution"));
    assertEquals(1000L, info.get("classes"));
  }

  @Test
  void tableEndsWithTotalsAndMemory() {
    CommandRun run = CommandRun.of("info", "B0", "--resolution", 64, "--batch", 4);
    assertEquals(0, run.code(), run.err());
    assertTrue(run.out().contains("conv_stem"), run.out());
    assertTrue(run.out().contains("5,288,548"), run.out());
    assertTrue(run.out().contains("64x64x3"), run.out());
    assertTrue(run.out().contains("memory, inference"), run.out());
    assertTrue(run.out().contains("memory, training"), run.out());
    assertTrue(run.out().contains("batch 4"), run.out());
  }

  @Test
  void withoutAModelThoseThereAreAreListed() throws IOException {
    CommandRun run = CommandRun.of("info");
    assertEquals(0, run.code(), run.err());
    for (String name : Architecture.names()) {
      assertTrue(run.out().contains("\n" + name + " "), name + " in " + run.out());
    }
    assertTrue(run.out().contains("11,689,512"), run.out());
    assertTrue(CommandRun.of("info", "--json").lastLine().contains("\"parameters\":5288548,"));
    assertEquals(2, CommandRun.of("info", "--batch", 4).code());
  }

  @Test
  void multiplyAddsFollowTheResolution() throws IOException {
    long small =
        (long) CommandRun.of("info", "b0", "--resolution", 128, "--json").json().get("macs");
    long large =
        (long) CommandRun.of("info", "b0", "--resolution", 256, "--json").json().get("macs");
    assertEquals(4.0, (double) large / small, 0.1);
  }
}
