// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.report.HtmlReport;
import io.fusewire.io.AtomicFile;
import io.fusewire.io.FileFormatException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Draws a page of what was measured before. */
@Command(
    name = "report",
    mixinStandardHelpOptions = true,
    description = {
      "One HTML page of result files that --json wrote: roofline, ratio per layer, throughput by",
      "batch, and every number. Measures nothing."
    })
final class ReportCommand implements Callable<Integer> {
  private static final String ENDING = ".json";

  @Spec private CommandSpec spec;

  @Parameters(
      arity = "0..*",
      paramLabel = "FILE",
      defaultValue = "bench/results",
      description = "Result files, or folders of them (default: ${DEFAULT-VALUE}).")
  private List<Path> files;

  @Option(
      names = "--out",
      paramLabel = "FILE",
      defaultValue = "report.html",
      description = "Where the page goes (default: ${DEFAULT-VALUE}).")
  private Path target;

  @Override
  public Integer call() throws IOException {
    List<Path> found = new ArrayList<>();
    for (Path file : files) {
      if (Files.isDirectory(file)) {
        try (Stream<Path> all = Files.list(file)) {
          all.filter(f -> f.toString().endsWith(ENDING)).sorted().forEach(found::add);
        }
      } else if (Files.isReadable(file)) {
        found.add(file);
      } else {
        throw refusal("there is no file or folder " + file);
      }
    }
    if (found.isEmpty()) {
      throw refusal("no file in " + files + " ends in " + ENDING);
    }
    if (Files.isDirectory(target)) {
      throw refusal("--out is the folder " + target + "; a file fits");
    }
    HtmlReport report;
    try {
      report = HtmlReport.of(found);
    } catch (FileFormatException e) {
      PeerChoice.say(spec.commandLine().getErr(), e.getMessage());
      return 1;
    }
    ByteBuffer bytes = ByteBuffer.wrap(report.page().getBytes(StandardCharsets.UTF_8));
    AtomicFile.replace(
        target,
        channel -> {
          while (bytes.hasRemaining()) {
            channel.write(bytes);
          }
        });
    if (!report.drawn()) {
      PeerChoice.say(
          spec.commandLine().getErr(),
          "no plots: this host lacks fonts, or libfreetype and libharfbuzz to draw them; elsewhere"
              + " the same files give them");
    }
    spec.commandLine().getOut().println(found.size() + " files, written to " + target);
    spec.commandLine().getOut().flush();
    return 0;
  }

  private ParameterException refusal(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}
