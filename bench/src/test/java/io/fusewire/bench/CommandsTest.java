// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.bench.layers.Difference;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;

/** That all commands write result files, and in the same form. */
final class CommandsTest {
  private static final Timing OURS = new Timing(0.3, 0.29, 0.31, 5);
  private static final Timing THEIRS = new Timing(0.6, 0.5, 0.7, 5);

  private static final Limits LIMITS = new Limits(1e10, "memcpy", new Peak(1e9, "ours"));

  @TempDir private Path folder;

  @Test
  void everyCommandTakesAFileForItsResults() {
    Map<String, CommandLine> commands = new TreeMap<>(new CommandLine(new Main()).getSubcommands());
    assertEquals(
        Set.of("model", "ops", "depthwise", "memory", "calls", "traffic", "report"),
        commands.keySet());
    commands.remove("report");
    commands.forEach(
        (name, command) ->
            assertNotNull(command.getCommandSpec().findOption("--json"), name + " --json FILE"));
  }

  static List<List<? extends Report.Entry>> entries() {
    String name = "b0@224/train/batch8/f32";
    return List.of(
        List.of(new Measurement(name, "time", "libtorch", OURS, THEIRS, 1, 2e-6)),
        List.of(new CallCost("MeanPool.forward", CallCost.TIME, 41.25, "ns", 0.5, 5)),
        List.of(new TrafficEntry("b0@224/train/bf16/total", "bytes moved", 1, "B/image", 2)),
        new OperationResult(
                name,
                OURS,
                List.of(
                    new PeerTime("libtorch", THEIRS, null),
                    PeerTime.missing("pytorch compile", "it is not installed")),
                OURS,
                "memcpy",
                1000,
                2000,
                LIMITS,
                new Difference(1e-6, 1e-5))
            .entries(),
        LIMITS.entries(DType.BF16),
        network().figures(),
        network().measurements());
  }

  private static NetworkResult network() {
    return new NetworkResult(
        "b0@224/train-step/batch8/bf16",
        8,
        1e9,
        1e10,
        1e-2,
        1000,
        List.of(
            new NetworkResult.Race(OURS, new PeerTime("pytorch eager", THEIRS, null), 2000),
            new NetworkResult.Race(OURS, PeerTime.missing("pytorch graph", "no GPU"), Double.NaN)),
        LIMITS);
  }

  /** The header is the same for all commands, so what differs is an entry's own fields. */
  @ParameterizedTest
  @MethodSource("entries")
  void allResultsHaveTheSameForm(List<? extends Report.Entry> entries) throws Exception {
    CommandLine bench = new CommandLine(new Main()).setErr(new PrintWriter(new StringWriter()));
    bench.parseArgs("traffic", "b0");
    var traffic = bench.getSubcommands().get("traffic").getCommandSpec();
    Path file = folder.resolve("result.json");
    Report.write(Machine.facts(Device.cpu(), 2, traffic), entries, file);
    assertEquals(entries.size(), ResultFile.check(file).size());
    assertEquals("bench traffic b0", ResultFile.read(file).get(0).get("command"));
    try (var files = Files.list(folder)) {
      assertEquals(List.of(file), files.toList(), "nothing else is left behind");
    }
  }

  @Test
  void aBundleKnowsItsCommit() throws Exception {
    CommandLine bench = new CommandLine(new Main());
    bench.parseArgs("report");
    Files.writeString(folder.resolve("BUNDLE"), "version 1\ncommit abc123+\n");
    System.setProperty("fusewire.home", folder.toString());
    try {
      Map<String, String> facts =
          Machine.facts(Device.cpu(), 1, bench.getSubcommands().get("report").getCommandSpec());
      assertEquals("abc123+", facts.get("commit"));
    } finally {
      System.clearProperty("fusewire.home");
    }
  }

  @Test
  void aFailureIsALineUnlessMoreIsAskedFor() {
    for (boolean trace : new boolean[] {false, true}) {
      StringWriter err = new StringWriter();
      CommandLine bench = Main.commandLine();
      bench.addSubcommand(
          "fail",
          CommandSpec.wrapWithoutInspection(
              (Callable<Integer>)
                  () -> {
                    throw new IOException("no disk");
                  }));
      bench.setErr(new PrintWriter(err));
      assertEquals(1, trace ? bench.execute("fail", "--stacktrace") : bench.execute("fail"));
      assertEquals(trace, err.toString().contains("\tat "), err.toString());
      assertTrue(err.toString().contains("no disk"), err.toString());
    }
  }
}
