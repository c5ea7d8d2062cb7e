// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.ops.ConvShape;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A depthwise convolution to be measured.
 *
 * @param name such as {@code b0:stage3.1/dw}
 * @param height input rows
 * @param width input columns
 * @param channels channels
 * @param kernel rows and columns of the filter
 * @param stride in pixels
 */
record DepthwiseProblem(String name, int height, int width, int channels, int kernel, int stride) {
  private static final String FILE = "depthwise.problems";
  private static final Pattern LINE =
      Pattern.compile("(\\S+)\\s+h(\\d+)\\s+w(\\d+)\\s+c(\\d+)\\s+k(\\d+)\\s+s(\\d+)");

  /** The problems of the data file, in its order. */
  static List<DepthwiseProblem> all() throws IOException {
    List<DepthwiseProblem> problems = new ArrayList<>();
    try (InputStream file = DepthwiseProblem.class.getResourceAsStream(FILE);
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(file, StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (!line.isBlank() && !line.startsWith("#")) {
          problems.add(parse(line));
        }
      }
    }
    return problems;
  }

  /** Reads one line. */
  static DepthwiseProblem parse(String line) {
    Matcher match = LINE.matcher(line.strip());
    if (!match.matches()) {
      throw new IllegalArgumentException(
          "'" + line + "' is not of the form 'name h112 w112 c32 k3 s1'");
    }
    return new DepthwiseProblem(
        match.group(1),
        Integer.parseInt(match.group(2)),
        Integer.parseInt(match.group(3)),
        Integer.parseInt(match.group(4)),
        Integer.parseInt(match.group(5)),
        Integer.parseInt(match.group(6)));
  }

  /** The convolution for a number of images. */
  ConvShape shape(int batch) {
    return ConvShape.same(batch, height, width, channels, channels, kernel, stride);
  }
}
