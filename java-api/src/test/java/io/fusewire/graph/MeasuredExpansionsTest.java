// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.model.EfficientNet;
import io.fusewire.model.Padding;
import io.fusewire.ops.ConvShape;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which expansions a policy picks from given times, and what it keeps of them. */
final class MeasuredExpansionsTest {
  private static final ExpansionTimes ON_CHIP_WINS = new ExpansionTimes(1000, 900, 1100, 950);
  private static final ExpansionTimes STORED_WINS = new ExpansionTimes(900, 1000, 950, 1100);

  @TempDir private Path folder;

  private final List<Expansion> measured = new ArrayList<>();

  private static List<Expansion> b0(int batch) {
    return Expansion.of(EfficientNet.b0().build(), batch, DType.F32);
  }

  private Path file() {
    return folder.resolve("new").resolve("expansions.json");
  }

  /** Lets 3x3 filters win on chip. */
  private ExpansionTimes given(Stream stream, Expansion expansion) {
    measured.add(expansion);
    return expansion.depthwise().kernelHeight() == 3 ? ON_CHIP_WINS : STORED_WINS;
  }

  private MeasuredExpansions policy(String library) {
    return new MeasuredExpansions(file(), () -> library, this::given);
  }

  private Set<Expansion> ask(MeasuredExpansions policy, List<Expansion> expansions, int threads) {
    try (Stream stream = Stream.open(Device.cpu()).threads(threads)) {
      return policy.onChip(stream, expansions);
    }
  }

  private static Set<Expansion> winners(List<Expansion> expansions) {
    return expansions.stream()
        .filter(e -> e.depthwise().kernelHeight() == 3)
        .collect(Collectors.toSet());
  }

  @Test
  void aNetworkHasEverySizeOnce() {
    List<Expansion> expansions = b0(2);
    assertEquals(11, expansions.size());
    assertEquals("f32 2x112x112 16>96 3x3/2 pad 0,1,0,1", expansions.get(0).toString());
    assertEquals("f32 2x7x7 192>1152 3x3/1 pad 1,1,1,1", expansions.get(10).toString());
    EfficientNet symmetric = EfficientNet.b0().padding(Padding.SYMMETRIC).build();
    assertEquals(
        "bf16 2x112x112 16>96 3x3/2 pad 1,1,1,1",
        Expansion.of(symmetric, 2, DType.BF16).get(0).toString());
  }

  @Test
  void onlyAClearWinCounts() {
    assertTrue(ON_CHIP_WINS.onChipWins());
    assertFalse(STORED_WINS.onChipWins());
    assertFalse(new ExpansionTimes(1000, 1000, 1000, 1000).onChipWins());
    assertFalse(new ExpansionTimes(1000, 980, 1000, 980).onChipWins());
    assertFalse(new ExpansionTimes(1000, 900, 1100, 1100).onChipWins(), "at best only");
    assertFalse(new ExpansionTimes(1000, 1000, 1200, 1000).onChipWins(), "usually only");
    assertThrows(IllegalArgumentException.class, () -> new ExpansionTimes(0, 1, 1, 1));
    assertEquals(
        new ExpansionTimes(3, 1, 5, 4),
        ExpansionTimes.of(new long[] {9, 3, 5}, new long[] {4, 1, 8}));
  }

  @Test
  void measuresEverySizeOnceInAllProcesses() throws IOException {
    List<Expansion> one = b0(1);
    List<Expansion> two = b0(2);
    MeasuredExpansions first = policy("a");
    assertEquals(winners(one), ask(first, one, 1));
    assertEquals(one, measured);
    assertEquals(winners(one), ask(first, one, 1));
    assertEquals(11, measured.size(), "known in memory");
    assertEquals(winners(one), ask(first, one, 2));
    assertEquals(22, measured.size(), "other threads, other times");
    // As if by another process, while the first still runs.
    MeasuredExpansions second = policy("a");
    assertEquals(winners(one), ask(second, one, 2));
    assertEquals(22, measured.size(), "known from the file");
    assertEquals(winners(two), ask(second, two, 2));
    assertEquals(33, measured.size(), "another batch");
    List<Expansion> three = b0(3);
    ask(first, three, 2);
    ask(policy("a"), two, 2);
    ask(policy("a"), three, 2);
    assertEquals(44, measured.size(), "neither overwrote the other's");
    try (var files = Files.list(file().getParent())) {
      assertEquals(List.of(file()), files.toList(), "nothing else is left behind");
    }
  }

  @Test
  void allCoresAreAsManyThreads() {
    MeasuredExpansions policy = policy("a");
    ask(policy, b0(1), 0);
    ask(policy, b0(1), Device.cpu().processors());
    assertEquals(11, measured.size());
  }

  @Test
  void anotherBuildMeasuresAgain() {
    ask(policy("a"), b0(1), 1);
    ask(policy("b"), b0(1), 1);
    assertEquals(22, measured.size());
    ask(policy("b"), b0(1), 1);
    assertEquals(22, measured.size(), "its times have taken the file");
  }

  @Test
  void aDamagedFileIsMeasuredAnew() throws IOException {
    List<Expansion> expansions = b0(1);
    ask(policy("a"), expansions, 1);
    String whole = Files.readString(file());
    List<String> damaged = new ArrayList<>();
    for (int end = 0; end < whole.lastIndexOf('}'); end += 397) {
      damaged.add(whole.substring(0, end));
    }
    damaged.add(whole.replace("1000", "-5"));
    damaged.add(whole.replace("1000", "\"soon\""));
    damaged.add(whole.replace("nanoseconds", "days"));
    damaged.add("[]");
    damaged.add("\0\0\0");
    for (String text : damaged) {
      Files.writeString(file(), text);
      measured.clear();
      assertEquals(winners(expansions), ask(policy("a"), expansions, 1), text);
      assertEquals(expansions, measured, text);
      assertEquals(whole, Files.readString(file()), "repaired");
    }
  }

  @Test
  void aFileThatCannotBeWrittenDoesNotMatter() throws IOException {
    Files.writeString(folder.resolve("new"), "not a folder");
    MeasuredExpansions policy = policy("a");
    assertEquals(winners(b0(1)), ask(policy, b0(1), 1));
    assertEquals(winners(b0(1)), ask(policy, b0(1), 1));
    assertEquals(11, measured.size());
  }

  @Test
  void whatCannotBeMadeOnChipIsStored() {
    MeasuredExpansions policy = new MeasuredExpansions(file(), () -> "a", ExpansionTrial::time);
    ConvShape wide = ConvShape.same(1, 12, 12, 32, 32, 9, 1);
    assertEquals(Set.of(), ask(policy, List.of(new Expansion(wide, 8, DType.F32)), 1));
    assertFalse(Files.exists(file()));
  }

  @Test
  void nothingIsTimedWhereTimeMeansNothing() {
    for (Device device : Device.all()) {
      if (device.kind() == Device.Kind.CHECKED) {
        try (Stream stream = Stream.open(device)) {
          assertEquals(Set.of(), policy("a").onChip(stream, b0(1)));
        }
      }
    }
    try (Stream stream = Stream.open(Device.metered())) {
      assertEquals(Set.of(), policy("a").onChip(stream, b0(1)));
    }
    assertEquals(List.of(), measured);
  }

  @Test
  void aTrialRunsBothWaysAndGivesItsMemoryBack() {
    EfficientNet net = EfficientNet.b0().resolution(32).build();
    for (DType dtype : List.of(DType.F32, DType.BF16, DType.F16)) {
      try (Stream stream = Stream.open(Device.cpu())) {
        long before = Device.cpu().liveBytes();
        for (Expansion expansion : Expansion.of(net, 1, dtype)) {
          ExpansionTimes times = ExpansionTrial.time(stream, expansion);
          assertTrue(times.stored() > 0 && times.onChip() > 0, expansion.toString());
        }
        assertEquals(before, Device.cpu().liveBytes());
      }
    }
  }

  /** A network does as it is told, block by block. */
  @Test
  void stepsFollowTheChoice() {
    EfficientNet net = EfficientNet.b0().resolution(32).classes(3).build();
    ExpansionPolicy some =
        (stream, expansions) -> {
          assertEquals(Expansion.of(net, 1, DType.F32), expansions);
          return winners(expansions);
        };
    try (Stream stream = Stream.open(Device.cpu());
        InferenceNetwork network =
            InferenceNetwork.open(stream, net, 1, DType.F32, null, null, some)) {
      List<String> steps = network.program().steps().stream().map(Step::name).toList();
      assertFalse(steps.contains("blocks.1.0.conv_pw"), "3x3, on chip");
      assertFalse(steps.contains("blocks.6.0.conv_pw"), "3x3, on chip");
      assertTrue(steps.contains("blocks.2.0.conv_pw"), "5x5, stored");
      // In the first block, which does not expand, that is the projection's name.
      assertEquals(1 + 9, steps.stream().filter(s -> s.endsWith(".conv_pw")).count());
    }
  }
}
