// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.layers.Operation;
import io.fusewire.bench.layers.Problem;
import io.fusewire.bench.layers.ProblemFile;
import io.fusewire.bench.peer.LibtorchThreads;
import io.fusewire.ops.Stream;
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
      "Operations on the layers of B0 at 224 pixels, B4 at 380 and B7 at 600, in f32 on the CPU.",
      "Beside libtorch, which uses the same memory as channels-last tensors and makes the same",
      "results of it; beside memcpy of the bytes that must move at least; beside the cores'",
      "measured peak. A ratio is our time over libtorch's. Every call works on memory that is in",
      "no cache, unless --warm."
    })
final class OpsCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private Settings settings;

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
        "norm-backward, inference; or all (default: ${DEFAULT-VALUE})."
      })
  private List<String> operations;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "8",
      description = "Images at a time (default: ${DEFAULT-VALUE}).")
  private int batch;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      defaultValue = "f32",
      description = "Storage of activations; libtorch is measured in f32 only.")
  private String dtype;

  @Option(names = "--warm", description = "Work on the same tensors again and again.")
  private boolean warm;

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
    refuse(!dtype.equalsIgnoreCase("f32"), "--dtype is '" + dtype + "'; f32 fits");
    PrintWriter out = spec.commandLine().getOut();
    if (list) {
      out.print(ProblemFile.format(problems));
      out.flush();
      return 0;
    }
    measure(problems, wanted, out);
    return 0;
  }

  private void refuse(boolean wrong, String message) {
    if (wrong) {
      throw new ParameterException(spec.commandLine(), message);
    }
  }

  /** Prints every case as soon as it is measured, and keeps the file up to date. */
  private void measure(List<Problem> problems, List<Operation> wanted, PrintWriter out)
      throws Exception {
    LibtorchThreads.set(settings.threads());
    Rounds rounds = settings.shortRounds();
    List<Report.Entry> entries = new ArrayList<>();
    try (Stream stream = settings.open()) {
      OperationCases cases =
          new OperationCases(
              stream, settings.threads(), batch, rounds, warm ? 0 : OperationCases.COLD_BYTES);
      Map<String, String> facts = settings.facts(spec, rounds);
      facts.put("measured peak", cases.peak().toString());
      facts.forEach((name, value) -> out.println(name + ": " + value));
      out.println();
      out.println(OperationResult.heading());
      for (Problem problem : problems) {
        for (Operation operation : wanted) {
          OperationResult result = cases.measure(problem, operation);
          if (result != null) {
            out.println(result.row());
            out.flush();
            entries.addAll(result.entries());
            settings.write(facts, entries);
          }
        }
      }
    }
    refuse(
        entries.isEmpty(),
        "none of these layers has an operation " + String.join(" or ", operations));
    settings.sayWritten(out);
  }
}
