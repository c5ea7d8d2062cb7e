// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** No change makes a network move more bytes than the bounds of {@code traffic.ratchets} say. */
final class TrafficRatchetTest {
  private static final Pattern NETWORK =
      Pattern.compile("(b\\d)@(\\d+)/(train|infer|infer-on-chip)/(f32|bf16|f16)");

  /** Bounds by network, then by what is bounded. */
  private static Map<String, Map<String, Double>> bounds() throws IOException {
    Map<String, Map<String, Double>> bounds = new LinkedHashMap<>();
    try (InputStream file = TrafficRatchetTest.class.getResourceAsStream("traffic.ratchets")) {
      String text = new String(file.readAllBytes(), StandardCharsets.UTF_8);
      for (String line : text.lines().toList()) {
        if (line.isBlank() || line.startsWith("#")) {
          continue;
        }
        String[] words = line.strip().split("\\s+", -1);
        int slash = words[0].lastIndexOf('/');
        bounds
            .computeIfAbsent(words[0].substring(0, slash), n -> new LinkedHashMap<>())
            .put(words[0].substring(slash + 1), Double.parseDouble(words[1]));
      }
    }
    return bounds;
  }

  static Stream<String> networks() throws IOException {
    return bounds().keySet().stream();
  }

  @ParameterizedTest
  @MethodSource("networks")
  void movesNoMoreThanItsBounds(String network) throws IOException {
    Matcher parts = NETWORK.matcher(network);
    assertTrue(parts.matches(), network);
    StringWriter text = new StringWriter();
    TrafficReport report =
        TrafficCommand.count(
            TrafficCommand.net(parts.group(1), Integer.valueOf(parts.group(2))),
            TrafficCommand.dtype(parts.group(4)),
            Pass.of(parts.group(3)),
            2,
            line -> {});
    report.print(new PrintWriter(text), false);
    Map<String, Double> found = report.sums();
    Map<String, Double> bounds = bounds().get(network);
    assertFalse(bounds.isEmpty());
    bounds.forEach(
        (name, bound) -> {
          Double megabytes = found.get(name);
          assertTrue(
              megabytes != null && megabytes <= bound,
              () ->
                  "%s/%s is %s MB, its bound %s MB%n%s"
                      .formatted(network, name, megabytes, bound, text));
        });
  }
}
