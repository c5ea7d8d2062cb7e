// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** Options that all measurements share. */
final class Settings {
  private static final int ROUNDS = 15;
  private static final int SHORT_ROUNDS = 9;

  /**
   * libtorch's OpenBLAS threads spin for tens of milliseconds after their work: with a pause of 30
   * the next contender still took half as long again, with 100 it did not.
   */
  private static final int REST_MILLIS = 150;

  private static final int OWN_REST_MILLIS = 30;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "CPU threads of every contender (default: one per core).")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(
      names = "--rounds",
      paramLabel = "N",
      description = "Runs of every contender (default: 15; ops: 9; on a GPU 25).")
  private Integer rounds;

  @Option(
      names = "--json",
      paramLabel = "FILE",
      description = "Also write the results to a file, after a header on the machine.")
  private Path json;

  /** Refuses numbers that cannot be. */
  void check(CommandSpec command) {
    atLeastOne(command, "--threads", threads);
    atLeastOne(command, "--rounds", rounds().rounds());
  }

  /** Refuses a number below 1. */
  static void atLeastOne(CommandSpec command, String option, int value) {
    atLeast(command, option, value, 1);
  }

  /** Refuses a number below some other. */
  static void atLeast(CommandSpec command, String option, int value, int least) {
    if (value < least) {
      throw new ParameterException(
          command.commandLine(), option + " is " + value + "; at least " + least + " fits");
    }
  }

  int threads() {
    return threads;
  }

  Rounds rounds() {
    int counted = rounds == null ? ROUNDS : rounds;
    return new Rounds(Math.min(3, counted), counted, REST_MILLIS);
  }

  /**
   * Rounds on some device; a GPU's contenders leave nothing that spins, and its rounds are short.
   */
  Rounds rounds(Device device, int roundsOnGpu) {
    if (device.kind() == Device.Kind.CPU) {
      return rounds();
    }
    int counted = rounds == null ? roundsOnGpu : rounds;
    return new Rounds(Math.min(3, counted), counted, 0);
  }

  /** Rounds for a command with many cases, of whose contenders only the last leaves threads. */
  Rounds shortRounds(Device device, int roundsOnGpu) {
    if (device.kind() != Device.Kind.CPU) {
      return rounds(device, roundsOnGpu);
    }
    int counted = rounds == null ? SHORT_ROUNDS : rounds;
    return new Rounds(Math.min(2, counted), counted, REST_MILLIS, true);
  }

  /** Rounds whose contenders are all threads of ours, which sleep after their work. */
  Rounds ownRounds() {
    Rounds others = rounds();
    return new Rounds(others.warmUps(), others.rounds(), OWN_REST_MILLIS);
  }

  /** A stream of the CPU with these threads. */
  Stream open() {
    return open(Device.cpu());
  }

  /** A stream of a device; the threads matter to the CPU only. */
  Stream open(Device device) {
    return Stream.open(device).threads(threads);
  }

  /** What a command's results must be read with. */
  Map<String, String> facts(CommandSpec command, Rounds measured) {
    return facts(command, measured, Device.cpu());
  }

  /** The same on some device. */
  Map<String, String> facts(CommandSpec command, Rounds measured, Device device) {
    Map<String, String> facts = Machine.facts(device, threads, command);
    facts.put("rounds", Integer.toString(measured.rounds()));
    return facts;
  }

  /** Writes the file if one was asked for. */
  void write(Map<String, String> facts, List<? extends Report.Entry> entries) throws IOException {
    if (json != null) {
      Report.write(facts, entries, json);
    }
  }

  /** Says where the results are. */
  void sayWritten(PrintWriter out) {
    if (json != null) {
      out.println();
      out.println("written to " + json);
    }
    out.flush();
  }

  /** Prints the measurements and writes the file if one was asked for. */
  void report(List<Measurement> measurements, CommandSpec command) throws IOException {
    report(facts(command, rounds()), measurements, List.of(), command);
  }

  /** The same with other facts, and with entries that follow from the measurements. */
  void report(
      Map<String, String> facts,
      List<Measurement> measurements,
      List<? extends Report.Entry> more,
      CommandSpec command)
      throws IOException {
    PrintWriter out = command.commandLine().getOut();
    facts.forEach((name, value) -> out.println(name + ": " + value));
    out.println();
    Report.print(measurements, out);
    Report.printFigures(more, out);
    write(facts, Report.joined(measurements, more));
    sayWritten(out);
  }
}
