// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

final class ReportCommandTest {
  private static final Path RESULTS = Path.of("results");
  private static final Pattern PICTURE = Pattern.compile("data:image/png;base64,([^\"]+)\"");

  @TempDir private Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(Object... arguments) {
    String[] words = new String[arguments.length];
    for (int i = 0; i < words.length; i++) {
      words[i] = arguments[i].toString();
    }
    return new CommandLine(new ReportCommand())
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(words);
  }

  @Test
  void showsEveryCaseOfTheCommittedFiles() throws Exception {
    Path page = folder.resolve("new/report.html");
    assertEquals(0, run(RESULTS, "--out", page), err.toString());
    String html = Files.readString(page);
    int files = 0;
    try (var all = Files.list(RESULTS)) {
      for (Path file : all.filter(f -> f.toString().endsWith(".json")).toList()) {
        List<Map<String, String>> objects = ResultFile.read(file);
        assertTrue(html.contains(objects.get(0).get("commit")), file + "'s commit");
        assertTrue(html.contains(objects.get(0).get("date")), file + "'s date");
        for (Map<String, String> result : objects.subList(1, objects.size())) {
          assertTrue(html.contains(">" + result.get("case") + "<"), result.get("case"));
        }
        files++;
      }
    }
    assertTrue(files > 5 && out.toString().startsWith(files + " files"), out.toString());
    assertFalse(html.contains("http"), "the page needs nothing from elsewhere");
    List<String> pictures =
        PICTURE.matcher(html).results().map((MatchResult r) -> r.group(1)).toList();
    assertTrue(pictures.size() > 8, pictures.size() + " pictures");
    for (String picture : pictures) {
      byte[] png = Base64.getDecoder().decode(picture);
      assertNotNull(ImageIO.read(new ByteArrayInputStream(png)));
    }
    assertTrue(html.contains("Nothing here for a roofline"));
    assertTrue(html.contains("Nothing here for throughput by batch: no network was timed"));
  }

  @Test
  void showsPeersThatTookNoPartAndOddNames() throws Exception {
    Path file = folder.resolve("odd.json");
    Files.writeString(
        file,
        """
        [ {"commit": "<abc>", "device": "GPU & Co"},
          {"case": "device/copy", "metric": "bandwidth", "value": 3000, "unit": "GB/s"},
          {"case": "device/product/bf16", "metric": "throughput", "value": 6e5, "unit": "GFLOP/s"},
          {"case": "b4@380/train-step/batch64/bf16", "metric": "time", "value": 20, "unit": "ms",
           "peer": "pytorch eager", "peer_value": 60, "ratio": 0.3333},
          {"case": "b4@380/train-step/batch64/bf16", "metric": "time", "value": 21, "unit": "ms",
           "peer_missing": "pytorch compile", "reason": "a < b"},
          {"case": "b4@380/train-step/batch64/bf16", "metric": "bandwidth", "value": 2000,
           "unit": "GB/s", "peer": "large device copy", "peer_value": 3000, "ratio": 0.67},
          {"case": "b4@380/train-step/batch64/bf16", "metric": "throughput", "value": 80000,
           "unit": "GFLOP/s", "peer": "measured peak", "peer_value": 6e5, "ratio": 0.13} ]
        """);
    Path page = folder.resolve("odd.html");
    assertEquals(0, run(file, "--out", page), err.toString());
    String html = Files.readString(page);
    for (String part :
        new String[] {
          "&lt;abc&gt;",
          "Roofline of GPU &amp; Co",
          "b4@380 train-step, bf16",
          "Only batch 64 was measured.",
          "took no part: a &lt; b"
        }) {
      assertTrue(html.contains(part), part);
    }
  }

  @Test
  void refusesWhatIsNoResultFile() throws Exception {
    assertEquals(2, run(folder.resolve("none.json")));
    assertEquals(2, run(folder));
    assertEquals(2, run(RESULTS, "--out", folder));
    Path file = folder.resolve("bad.json");
    for (String text :
        List.of(
            "",
            "{}",
            "[",
            "[]",
            "[{\"commit\":\"a\"}",
            "[{\"commit\":\"a\"},",
            "[{\"commit\":\"a\"},{\"case\":\"b\"}]",
            "[{\"case\":\"b\"}]",
            "[{\"commit\":[]}]",
            "[{\"commit\":\"a\"},{\"case\":\"b\",\"metric\":\"m\",\"value\":\"x\",\"unit\":\"u\"}]")) {
      Files.writeString(file, text);
      int before = err.toString().length();
      assertEquals(1, run(file, "--out", folder.resolve("bad.html")), text);
      String said = err.toString().substring(before);
      assertTrue(said.contains("bad.json: ") && said.lines().count() == 1, text + ": " + said);
    }
    assertFalse(Files.exists(folder.resolve("bad.html")));
  }
}
