// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.train.Prediction;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the README shows compiles, runs, and is there. */
final class ReadmeTest {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();

  private static final String BEGIN = "// README: begin";
  private static final String END = "// README: end";

  @TempDir private Path folder;

  private static String readme() throws IOException {
    return Files.readString(ROOT.resolve("README.md"));
  }

  /** The Java blocks of the README, in order. */
  private static List<String> javaBlocks() throws IOException {
    Matcher blocks = Pattern.compile("(?s)```java\n(.*?)```").matcher(readme());
    return blocks.results().map(block -> block.group(1).strip()).toList();
  }

  /** What stands between the two marks in a source file, its indentation taken off. */
  private static String region(Path source) throws IOException {
    List<String> lines = Files.readAllLines(source);
    int begin = -1;
    int end = -1;
    for (int i = 0; i < lines.size(); i++) {
      if (lines.get(i).strip().equals(BEGIN)) {
        begin = i;
      } else if (lines.get(i).strip().equals(END)) {
        end = i;
      }
    }
    assertTrue(begin >= 0 && end > begin, source + " has no '" + BEGIN + "' and '" + END + "'");
    return String.join("\n", lines.subList(begin + 1, end)).stripTrailing().stripIndent().strip();
  }

  private static Path source(String module, String name) throws IOException {
    try (Stream<Path> files = Files.walk(ROOT.resolve(module + "/src/test/java"))) {
      return files.filter(f -> f.endsWith(name)).findFirst().orElseThrow();
    }
  }

  @Test
  void quickStartIsWhatIsCompiled() throws IOException {
    assertEquals(region(source("cli", "QuickStart.java")), javaBlocks().get(0));
  }

  @Test
  void embeddingIsWhatIsCompiled() throws IOException {
    assertEquals(region(source("fused-ops", "EmbeddingExampleTest.java")), javaBlocks().get(1));
  }

  @Test
  void quickStartRuns() throws IOException {
    Path data = TinyImages.write(folder.resolve("data"));
    List<Prediction> predictions =
        QuickStart.run(data, folder.resolve("run"), data.resolve("val/red/0.png"));
    assertEquals(2, predictions.size());
    assertEquals(1, predictions.stream().mapToDouble(Prediction::probability).sum(), 1e-4);
  }

  /**
   * The README's table, made from the results that a command wrote: copy it from here when they
   * change.
   */
  @Test
  void resultsAreThoseOfTheFile() throws IOException {
    StringBuilder table = new StringBuilder();
    for (Map<String, Object> result :
        BenchResults.read(ROOT.resolve("bench/results/b0-cpu.json"))) {
      table.append(BenchResults.row(result)).append('\n');
    }
    assertTrue(readme().contains(table), "the README lacks this table:\n" + table);
  }

  @Test
  void linksLeadSomewhere() throws IOException {
    String missing =
        Pattern.compile("\\]\\(([^)#:]+)\\)")
            .matcher(readme())
            .results()
            .map(link -> link.group(1))
            .filter(link -> !Files.exists(ROOT.resolve(link)))
            .collect(Collectors.joining(", "));
    assertEquals("", missing);
  }
}
