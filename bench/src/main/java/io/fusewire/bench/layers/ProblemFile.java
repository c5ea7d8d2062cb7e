// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The list of layer shapes that tests, benchmarks and docs share: comma-separated values with a
 * header line; lines that begin with # are comments.
 */
public final class ProblemFile {
  /** The file's header line. */
  public static final String HEADER = "name,layer,height,width,in,out,kernel,stride,layers";

  private static final String FILE = "problems.csv";
  private static final int COLUMNS = 9;

  private ProblemFile() {}

  /**
   * All problems.
   *
   * @return in the file's order
   * @throws IOException if the file cannot be read
   */
  public static List<Problem> all() throws IOException {
    return parse(text());
  }

  /**
   * The problems of one kind of layer.
   *
   * @param model such as {@code b0}
   * @param layer the kind
   * @return in the file's order
   * @throws IOException if the file cannot be read
   */
  public static List<Problem> of(String model, Layer layer) throws IOException {
    return all().stream().filter(p -> p.model().equals(model) && p.layer() == layer).toList();
  }

  /**
   * Channels that the block of a depthwise convolution expands from.
   *
   * @param depthwise such as {@code b0:stage2/dw}
   * @return 0 if the block does not expand
   */
  public static int expandedFrom(Problem depthwise) {
    try {
      return of(depthwise.model(), Layer.EXPAND).stream()
          .filter(expand -> expand.outChannels() == depthwise.inChannels())
          .mapToInt(Problem::inChannels)
          .findFirst()
          .orElse(0);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * The problems that any of some patterns means, see {@link Problem#matches}.
   *
   * @param patterns one or more
   * @return in the file's order
   * @throws IOException if the file cannot be read
   * @throws IllegalArgumentException if a pattern means none; the message says what there is
   */
  public static List<Problem> matching(List<String> patterns) throws IOException {
    List<Problem> all = all();
    for (String pattern : patterns) {
      if (all.stream().noneMatch(p -> p.matches(pattern))) {
        throw new IllegalArgumentException(
            "no problem matches '"
                + pattern
                + "'; there are "
                + known(all, pattern)
                + "; patterns are such as b4, b4:stage3, b4:stage3/dw or 'b0:*/dw'");
      }
    }
    return all.stream().filter(p -> patterns.stream().anyMatch(p::matches)).toList();
  }

  /** The names within the model that a pattern begins with, or else the models. */
  private static String known(List<Problem> all, String pattern) {
    Set<String> models = new LinkedHashSet<>();
    Set<String> names = new LinkedHashSet<>();
    for (Problem problem : all) {
      models.add(problem.model());
      if (pattern.startsWith(problem.model() + ":")) {
        names.add(problem.name());
      }
    }
    return String.join(", ", names.isEmpty() ? models : names);
  }

  /** The file as it is. */
  static String text() throws IOException {
    try (InputStream file = ProblemFile.class.getResourceAsStream(FILE)) {
      return new String(file.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  /**
   * Reads a file's text.
   *
   * @throws IllegalArgumentException if it is not well formed; the message names the line
   */
  static List<Problem> parse(String text) {
    List<Problem> problems = new ArrayList<>();
    Set<String> names = new HashSet<>();
    boolean headed = false;
    int number = 0;
    for (String line : text.lines().toList()) {
      number++;
      if (line.isBlank() || line.startsWith("#")) {
        continue;
      }
      try {
        if (headed) {
          Problem problem = problem(line);
          if (!names.add(problem.name())) {
            throw new IllegalArgumentException(problem.name() + " is there already");
          }
          problems.add(problem);
        } else if (line.equals(HEADER)) {
          headed = true;
        } else {
          throw new IllegalArgumentException("not the header '" + HEADER + "'");
        }
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException(
            FILE + ", line " + number + ", '" + line + "': " + e.getMessage(), e);
      }
    }
    return problems;
  }

  private static Problem problem(String line) {
    String[] cells = line.split(",", -1);
    if (cells.length != COLUMNS) {
      throw new IllegalArgumentException(cells.length + " columns, " + COLUMNS + " fit");
    }
    int[] sizes = new int[COLUMNS];
    for (int i = 2; i < COLUMNS; i++) {
      sizes[i] = Integer.parseInt(cells[i]);
    }
    return new Problem(
        cells[0],
        Layer.of(cells[1]),
        sizes[2],
        sizes[3],
        sizes[4],
        sizes[5],
        sizes[6],
        sizes[7],
        sizes[8]);
  }

  /**
   * Writes problems as the file has them.
   *
   * @param problems in order
   * @return the lines after the file's comments, the header first
   */
  public static String format(List<Problem> problems) {
    return problems.stream()
        .map(
            p ->
                String.join(
                    ",",
                    p.name(),
                    p.layer().label(),
                    "" + p.height(),
                    "" + p.width(),
                    "" + p.inChannels(),
                    "" + p.outChannels(),
                    "" + p.kernel(),
                    "" + p.stride(),
                    "" + p.layers()))
        .collect(Collectors.joining("\n", HEADER + "\n", "\n"));
  }
}
