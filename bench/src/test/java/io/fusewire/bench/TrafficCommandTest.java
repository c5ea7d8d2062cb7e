// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

final class TrafficCommandTest {
  @TempDir private Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... arguments) {
    return new CommandLine(new TrafficCommand())
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(arguments);
  }

  @Test
  void printsWritesAndDrawsATrainingStep() throws Exception {
    Path json = folder.resolve("new/traffic.json");
    Path png = folder.resolve("new/traffic.png");
    assertEquals(
        0, run("b0", "--resolution", "32", "--tensors", "--json", "" + json, "--png", "" + png));
    String text = out.toString();
    for (String part : new String[] {"conv_stem", "-- backward", "optimizer step", "(values)"}) {
      assertTrue(text.contains(part), text);
    }
    String written = Files.readString(json);
    for (String part :
        new String[] {
          "\"commit\"",
          "\"b0@32/train/bf16/total\"",
          "\"b0@32/train/bf16/saved\"",
          "\"b0@32/train/bf16/memory/batch128\"",
          "\"b0@32/train/bf16/forward/values\"",
          "\"b0@32/train/bf16/step/0 conv_stem\"",
          "\"bytes moved\"",
          "\"B/image\""
        }) {
      assertTrue(written.contains(part), part);
    }
    assertFalse(ResultFile.check(json).isEmpty());
    assertNotNull(ImageIO.read(png.toFile()));
  }

  @Test
  void countsInferenceWhenAsked() {
    assertEquals(0, run("b0", "--resolution", "32", "--inference", "--dtype", "F32"));
    assertTrue(out.toString().contains("b0@32/infer/f32:"), out.toString());
    assertEquals(
        0, run("b0", "--resolution", "32", "--inference", "--expansion", "on-chip", "--tensors"));
    assertTrue(out.toString().contains("b0@32/infer-on-chip/bf16:"), out.toString());
    assertEquals(0, run("--train", "b0", "--resolution", "32", "--batch", "3"));
    assertTrue(out.toString().contains("b0@32/train/bf16:"), out.toString());
    assertTrue(out.toString().contains("counted with 3 and 6 images"), out.toString());
  }

  @Test
  void refusesWhatDoesNotFit() {
    assertEquals(2, run("b9"));
    assertEquals(2, run("--dtype", "i32"));
    assertEquals(2, run("--batch", "1"));
    assertEquals(2, run("--resolution", "0"));
    assertEquals(2, run("--train", "--inference"));
    assertEquals(2, run("--inference", "--expansion", "off-chip"));
    assertEquals(2, run("--expansion", "on-chip"));
    for (String part :
        new String[] {
          "'b9'", "'i32'", "--batch is 1", "mutually exclusive", "'off-chip'", "training stores"
        }) {
      assertTrue(err.toString().contains(part), err.toString());
    }
  }
}
