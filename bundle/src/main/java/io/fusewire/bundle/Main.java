// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.ops.Device;
import io.fusewire.ops.FusewireException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Entry point of a bundle's {@code fusewire test}. */
@Command(
    name = "fusewire test",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Tests one device: the JUnit tests, results against golden ones that a CPU computed when the",
      "bundle was made, and the same backward pass again and again for equal bits.",
      "The last line is for scripts: fusewire test: device=... passed=N failed=N golden=N/N",
      "repeat=N/N seconds=S result=passed"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:all passed",
      "1:something failed, or the device is not there",
      "2:wrong usage"
    })
public final class Main implements Callable<Integer> {
  private static final int REPEATS = 200;
  private static final int TINY_REPEATS = 2;
  private static final List<String> TOOLS =
      List.of("memcheck", "racecheck", "synccheck", "initcheck");

  @Spec private CommandSpec spec;

  @Option(
      names = "--device",
      paramLabel = "NAME",
      defaultValue = "best",
      description = "cpu, cuda, cuda:N or best (default: ${DEFAULT-VALUE}).")
  private String deviceName;

  @Option(
      names = "--only",
      paramLabel = "PART",
      split = ",",
      description = "Only these parts: tests, golden, repeat.")
  private List<String> parts;

  @Option(
      names = "--tiny",
      description = {
        "Only golden cases of the smallest sizes and two repeats: every kernel in little time, for",
        "a sanitizer."
      })
  private boolean tiny;

  @Option(
      names = "--repeats",
      paramLabel = "N",
      description = "How often the backward pass is repeated (default: 200; with --tiny 2).")
  private Integer repeats;

  @Option(
      names = "--sanitizer",
      paramLabel = "TOOL",
      description = {
        "Run under compute-sanitizer, which must be there: memcheck, racecheck, synccheck or",
        "initcheck. Goes with --tiny."
      })
  private String sanitizer;

  @Option(names = "--golden", paramLabel = "FILE", description = "Other golden results.")
  private Path golden;

  @Option(names = "--write-golden", paramLabel = "FILE", hidden = true)
  private Path written;

  @Parameters(
      arity = "0..1",
      paramLabel = "PATTERN",
      description = "Only JUnit test classes of this name, such as 'DepthwiseConv*'.")
  private String pattern;

  Main() {}

  /**
   * Tests and exits with the exit code.
   *
   * @param arguments what the user typed after {@code test}
   */
  public static void main(String[] arguments) {
    Charset terminal = Charset.defaultCharset();
    System.exit(
        run(
            arguments,
            new PrintWriter(System.out, true, terminal),
            new PrintWriter(System.err, true, terminal)));
  }

  static int run(String[] arguments, PrintWriter out, PrintWriter err) {
    return new CommandLine(new Main())
        .setOut(out)
        .setErr(err)
        .setExecutionExceptionHandler(
            (exception, line, parsed) -> {
              line.getErr().println("fusewire test: " + exception.getMessage());
              if (!(exception instanceof IOException
                  || exception instanceof FusewireException
                  || exception instanceof IllegalArgumentException)) {
                exception.printStackTrace(line.getErr());
              }
              return 1;
            })
        .execute(arguments);
  }

  @Override
  public Integer call() throws IOException {
    refuse(
        sanitizer != null && !TOOLS.contains(sanitizer),
        "--sanitizer is '" + sanitizer + "'; " + String.join(", ", TOOLS) + " fit");
    refuse(sanitizer != null && !tiny, "--sanitizer takes days without --tiny");
    refuse(repeats != null && repeats < 1, "--repeats: " + repeats + " is not at least 1");
    for (String part : parts == null ? List.<String>of() : parts) {
      refuse(
          !List.of("tests", "golden", "repeat").contains(part),
          "--only: there is no part '" + part + "'; there are tests, golden, repeat");
    }
    // Not wrong usage: a script has to see that the GPU is not there.
    Device device = Device.of(deviceName);
    PrintWriter out = spec.commandLine().getOut();
    if (written != null) {
      new GoldenTests(device, out).write(written);
      return 0;
    }
    return test(device, out);
  }

  private void refuse(boolean wrong, String message) {
    if (wrong) {
      throw new ParameterException(spec.commandLine(), message);
    }
  }

  private boolean wanted(String part) {
    return parts == null ? pattern == null || part.equals("tests") : parts.contains(part);
  }

  /** The folder that the launcher started from. */
  private static Path home() throws IOException {
    String home = System.getProperty("fusewire.home");
    if (home == null) {
      throw new IOException("this is a bundle's command; make one: ./fusewire bundle FOLDER");
    }
    return Path.of(home);
  }

  private int test(Device device, PrintWriter out) throws IOException {
    long start = System.nanoTime();
    out.printf("testing %s: %s, %s%n", device, device.description(), device.level());
    var outcome = new DeviceTests.Outcome(0, 0, 0);
    if (wanted("tests") && !tiny) {
      Path jars = home().resolve("lib/tests");
      if (!Files.isDirectory(jars)) {
        throw new IOException("this bundle was made with --no-tests");
      }
      outcome = DeviceTests.run(jars, device, pattern, out);
      if (outcome.passed() + outcome.failed() == 0) {
        throw new IOException("no test class matches '" + pattern + "'");
      }
    }
    GoldenTests tests = new GoldenTests(device, out);
    Tally compared = new Tally();
    if (wanted("golden")) {
      Path file = golden != null ? golden : home().resolve("golden.safetensors");
      compared = tests.compare(GoldenFile.read(file), tiny);
    }
    Tally repeated = new Tally();
    if (wanted("repeat")) {
      int times = repeats != null ? repeats : tiny ? TINY_REPEATS : REPEATS;
      repeated = tests.repeat(times, tiny);
    }
    boolean passed = outcome.failed() == 0 && compared.whole() && repeated.whole();
    out.printf(
        Locale.ROOT,
        "fusewire test: device=%s name=\"%s\" level=%s passed=%d failed=%d golden=%s repeat=%s"
            + " seconds=%.1f result=%s%n",
        device,
        device.description(),
        device.level(),
        outcome.passed(),
        outcome.failed(),
        compared,
        repeated,
        (System.nanoTime() - start) * 1e-9,
        passed ? "passed" : "failed");
    return passed ? 0 : 1;
  }
}
