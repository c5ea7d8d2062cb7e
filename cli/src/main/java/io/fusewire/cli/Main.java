// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import java.io.PrintWriter;
import java.nio.charset.Charset;
import picocli.CommandLine;

/** Entry point of the {@code fusewire} command. */
public final class Main {
  private Main() {}

  /**
   * Runs the command and exits with its exit code: 0 for success, 1 for failure, 2 for wrong usage.
   *
   * @param arguments what the user typed
   */
  public static void main(String[] arguments) {
    // In the terminal's own encoding.
    PrintWriter out = new PrintWriter(System.out, true, Charset.defaultCharset());
    PrintWriter err = new PrintWriter(System.err, true, Charset.defaultCharset());
    int code = run(arguments, out, err);
    // Blocks while a signal is being handled; the JVM then ends with the signal's exit code.
    System.exit(code);
  }

  /** Runs the command without leaving the JVM. */
  static int run(String[] arguments, PrintWriter out, PrintWriter err) {
    CommandLine line =
        new CommandLine(new FusewireCommand())
            .setOut(out)
            .setErr(err)
            .setCaseInsensitiveEnumValuesAllowed(true)
            .setExecutionExceptionHandler(Errors::executionFailed)
            .setParameterExceptionHandler(Errors::usageWrong);
    return line.execute(arguments);
  }
}
