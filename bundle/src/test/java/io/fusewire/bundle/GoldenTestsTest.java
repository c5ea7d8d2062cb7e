// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Golden results that fit, and ones that do not. */
final class GoldenTestsTest {
  @TempDir private static Path folder;
  private static Path file;
  private static GoldenFile golden;

  @BeforeAll
  static void write() throws IOException {
    file = folder.resolve("golden.safetensors");
    try (Stream stream = Stream.open(Device.cpu())) {
      Map<String, Map<String, Sketch>> results = new LinkedHashMap<>();
      for (GoldenCase each : GoldenTests.cases(true)) {
        results.put(each.name(), GoldenFile.sketches(each.run(stream)));
      }
      GoldenFile.write(file, Device.cpu(), results);
    }
    golden = GoldenFile.read(file);
  }

  private static GoldenCase named(String name) {
    return GoldenTests.cases(true).stream()
        .filter(c -> c.name().equals(name))
        .findFirst()
        .orElseThrow();
  }

  /** What is said of a case of which one result was changed. */
  private static String spoiled(
      String name, String result, boolean exact, UnaryOperator<float[]> change) {
    try (Stream stream = Stream.open(Device.cpu())) {
      GoldenCase spoilt = named(name);
      Map<String, float[]> results = spoilt.run(stream);
      results.compute(result, (n, values) -> change.apply(values.clone()));
      return new Comparison(golden, exact).compare(spoilt, GoldenFile.sketches(results));
    }
  }

  private static float[] scaled(float[] values, double factor) {
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (values[i] * factor);
    }
    return values;
  }

  @Test
  void theSameDeviceHasTheSameBits() {
    StringWriter text = new StringWriter();
    assertTrue(golden.sameCode(Device.cpu()));
    Tally tally = new GoldenTests(Device.cpu(), new PrintWriter(text, true)).compare(golden, true);
    assertTrue(tally.whole() && tally.good() == golden.size(), text.toString());
    assertTrue(text.toString().contains("bit for bit"), text.toString());
  }

  @Test
  void theCheckedDeviceComesClose() {
    // The emulated GPU, where the build has it, adds in other orders than the CPU.
    for (Device device : Device.all()) {
      if (device.kind() == Device.Kind.CHECKED) {
        Comparison comparison = new Comparison(golden, false);
        try (Stream stream = Stream.open(device)) {
          for (GoldenCase each : GoldenTests.cases(true)) {
            assertEquals(
                "", comparison.compare(each, GoldenFile.sketches(each.run(stream))), each.name());
          }
        }
      }
    }
  }

  @Test
  void aSmallErrorIsNoFailureButOtherBits() {
    String name = "tiny/f32/FusedPointwise.forward";
    assertEquals("", spoiled(name, "dst", false, v -> scaled(v, 1 + 1e-6)));
    assertTrue(spoiled(name, "dst", true, v -> scaled(v, 1 + 1e-6)).startsWith("dst: other bits"));
  }

  @Test
  void aLargerErrorIsAFailureByName() {
    for (String name :
        new String[] {"tiny/f32/DepthwiseConv.forward", "tiny/bf16/DepthwiseConv.forward"}) {
      String said = spoiled(name, "dst", false, v -> scaled(v, 1.03));
      assertTrue(said.startsWith("dst: error"), said);
    }
    String gradient = "gradient/blocks.0.0.conv_dw.weight";
    String said = spoiled("tiny@48/f32/training", gradient, false, v -> scaled(v, 1.03));
    assertTrue(said.startsWith(gradient + ": error"), said);
  }

  @Test
  void anElementThatIsNoNumberIsAFailure() {
    String said =
        spoiled(
            "tiny/bf16/BatchNorm.backward",
            "diffSrc",
            false,
            v -> {
              v[3] = Float.NaN;
              return v;
            });
    assertTrue(said.startsWith("diffSrc: error NaN"), said);
  }

  @Test
  void aResultThatIsMissingIsAFailure() {
    GoldenCase each = named("tiny/f32/Residual.forward");
    String said = new Comparison(golden, false).compare(each, Map.of());
    assertTrue(said.contains("expected [dst]"), said);
  }

  @Test
  void repeatsAreCounted() {
    StringWriter text = new StringWriter();
    Tally tally = new GoldenTests(Device.cpu(), new PrintWriter(text, true)).repeat(3, true);
    assertEquals("3/3", tally.toString());
    assertFalse(text.toString().contains("FAILED"), text.toString());
  }

  @Test
  void aDamagedFileIsRefused() throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    Path cut = folder.resolve("cut.safetensors");
    Files.write(cut, java.util.Arrays.copyOf(bytes, bytes.length / 2));
    assertThrows(IOException.class, () -> GoldenFile.read(cut));
    assertThrows(IOException.class, () -> GoldenFile.read(folder.resolve("none")));
  }
}
