// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.layers.Conditions;
import io.fusewire.bench.layers.Operation;
import io.fusewire.bench.layers.Problem;
import io.fusewire.bench.layers.ProblemFile;
import io.fusewire.bench.peer.Installed;
import io.fusewire.bench.peer.LibtorchThreads;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.DeviceMemoryException;
import io.fusewire.ops.Stream;
import io.fusewire.ops.UnsupportedException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Measures operations on the layers of the networks. */
@Command(
    name = "ops",
    mixinStandardHelpOptions = true,
    description = {
      "Operations on the layers of B0 at 224 pixels, B4 at 380 and B7 at 600, on any device.",
      "Beside a copy of the bytes that must move at least; beside the device's measured peak;",
      "beside libtorch, which on the CPU uses the same memory as channels-last tensors and makes",
      "the same results of it, or the user's PyTorch (--peer). A ratio is our time over the peer's.",
      "Every call works on memory that is in no cache, unless --warm."
    })
final class OpsCommand implements Callable<Integer> {
  private static final int GPU_ROUNDS = 25;

  @Spec private CommandSpec spec;
  @Mixin private Settings settings;
  @Mixin private DeviceChoice where;
  @Mixin private PeerChoice beside;

  @Parameters(
      arity = "0..*",
      paramLabel = "PATTERN",
      defaultValue = "b0",
      description = {
        "Layers to measure: b4, b4:stage3, b4:stage3/dw or 'b0:*/dw'",
        "(default: ${DEFAULT-VALUE}). --list shows them."
      })
  private List<String> patterns;

  @Option(
      names = "--operations",
      paramLabel = "NAME",
      split = ",",
      defaultValue = "forward,backward",
      description = {
        "What to measure of them, by name or by its first word: forward, backward,",
        "backward-data, backward-weights, fused-forward, fused-backward, norm-forward,",
        "norm-backward, inference, inference-expanded; or all (default: ${DEFAULT-VALUE})."
      })
  private List<String> operations;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "8",
      description = "Images at a time (default: ${DEFAULT-VALUE}).")
  private int batch;

  @Option(
      names = "--warm",
      description = "Work on the same tensors again and again; with --cold, measure both ways.")
  private boolean warm;

  @Option(names = "--cold", description = "The default, unless --warm.")
  private boolean cold;

  /** Whether some case's contenders did not compute the same; the others are measured still. */
  private boolean differed;

  @Option(names = "--list", description = "Only show the layers that the patterns mean.")
  private boolean list;

  @Override
  public Integer call() throws Exception {
    List<Problem> problems;
    List<Operation> wanted;
    try {
      problems = ProblemFile.matching(patterns);
      wanted = Operation.meant(operations);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
    refuse(batch < 1, "--batch is " + batch + "; at least 1 fits");
    settings.check(spec);
    Device device = where.device(spec);
    DType dtype = where.dtype(spec);
    beside.check(spec, device, dtype, Installed.LIBTORCH);
    PrintWriter out = spec.commandLine().getOut();
    if (list) {
      out.print(ProblemFile.format(problems));
      out.flush();
      return 0;
    }
    return measure(problems, wanted, device, dtype, out) ? 0 : 1;
  }

  private void refuse(boolean wrong, String message) {
    if (wrong) {
      throw new ParameterException(spec.commandLine(), message);
    }
  }

  /**
   * Prints every case as soon as it is measured, and keeps the file up to date.
   *
   * @return whether all contenders computed the same
   */
  private boolean measure(
      List<Problem> problems, List<Operation> wanted, Device device, DType dtype, PrintWriter out)
      throws Exception {
    PrintWriter err = spec.commandLine().getErr();
    boolean libtorch = beside.with(Installed.LIBTORCH, device, err);
    if (libtorch) {
      LibtorchThreads.set(settings.threads());
    }
    Rounds rounds = settings.shortRounds(device, GPU_ROUNDS);
    List<Report.Entry> entries = new ArrayList<>();
    try (Stream stream = where.set(settings.open(device));
        Clock clock = where.open(stream, true);
        PyTorchChild child = PyTorchChild.of(beside, device, settings.threads(), err)) {
      Limits limits = Limits.measure(stream, dtype, clock, libtorch);
      limits = child.orFaster(limits, dtype);
      Map<String, String> facts = settings.facts(spec, rounds, device);
      facts.put("clock", where.clock(device));
      facts.put("measured peak", limits.toString());
      facts.putAll(child.facts());
      facts.forEach((name, value) -> out.println(name + ": " + value));
      out.println();
      out.println(OperationResult.heading());
      out.flush();
      entries.addAll(limits.entries(dtype));
      int limitEntries = entries.size();
      for (long spread : spreads(device)) {
        Conditions conditions = new Conditions(stream, dtype, libtorch, spread);
        OperationCases cases =
            new OperationCases(conditions, clock, batch, rounds, limits, child.cases());
        for (Problem problem : problems) {
          for (Operation operation : wanted) {
            OperationResult result = measured(cases, problem, operation, err);
            if (result != null) {
              result.rows().forEach(out::println);
              out.flush();
              entries.addAll(result.entries());
              settings.write(facts, entries);
            }
          }
        }
      }
      refuse(
          entries.size() == limitEntries,
          "none of these layers has an operation " + String.join(" or ", operations));
    }
    settings.sayWritten(out);
    return !differed;
  }

  /** A case that the device has no kernel or no memory for is told, and the others are measured. */
  private OperationResult measured(
      OperationCases cases, Problem problem, Operation operation, PrintWriter err)
      throws Exception {
    try {
      return cases.measure(problem, operation);
    } catch (UnsupportedException | DeviceMemoryException e) {
      PeerChoice.say(
          err, "left out: " + problem.name() + "/" + operation.label() + ": " + e.getMessage());
      return null;
    } catch (DifferentResults e) {
      PeerChoice.say(err, "wrong: " + e.getMessage());
      differed = true;
      return null;
    }
  }

  /** What calls go through, once for cold caches, once for warm ones. */
  private List<Long> spreads(Device device) {
    List<Long> spreads = new ArrayList<>();
    if (cold || !warm) {
      spreads.add(OperationCases.coldBytes(device));
    }
    if (warm) {
      spreads.add(0L);
    }
    return spreads;
  }
}
