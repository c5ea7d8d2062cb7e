// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.ops.Device;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command as scripts meet it. */
final class MainTest {
  @TempDir private Path folder;

  private record Run(int code, String out, String err) {
    static Run of(String... arguments) {
      StringWriter out = new StringWriter();
      StringWriter err = new StringWriter();
      int code = Main.run(arguments, new PrintWriter(out, true), new PrintWriter(err, true));
      return new Run(code, out.toString(), err.toString());
    }

    String lastLine() {
      List<String> lines = out.lines().toList();
      return lines.isEmpty() ? "" : lines.get(lines.size() - 1);
    }
  }

  @Test
  void theLastLineIsForScripts() {
    Run run = Run.of("--device", "cpu", "--only", "repeat", "--tiny", "--repeats", "2");
    assertEquals(0, run.code(), run.err());
    assertTrue(
        run.lastLine()
            .matches(
                "fusewire test: device=cpu name=\".*\" level=\\S+ passed=0 failed=0 golden=0/0"
                    + " repeat=2/2 seconds=[0-9.]+ result=passed"),
        run.lastLine());
  }

  @Test
  void anAbsentDeviceIsAFailureAndNoTest() {
    Run run = Run.of("--device", "cuda:99");
    assertEquals(1, run.code());
    assertEquals("", run.out());
    assertTrue(run.err().startsWith("fusewire test: No device \"cuda:99\""), run.err());
    assertEquals(1, run.err().lines().count(), run.err());
  }

  @Test
  void goldenResultsOfAnotherBuildFail() throws IOException {
    Path file = folder.resolve("golden.safetensors");
    GoldenFile.write(file, Device.cpu(), java.util.Map.of());
    Run run = Run.of("--device", "cpu", "--only", "golden", "--tiny", "--golden", file.toString());
    assertEquals(1, run.code());
    assertTrue(run.lastLine().contains(" golden=0/"), run.lastLine());
    assertTrue(run.lastLine().endsWith(" result=failed"), run.lastLine());
  }

  @Test
  void whatDoesNotFitIsRefusedByName() throws IOException {
    assertEquals(2, Run.of("--only", "everything").code());
    assertEquals(2, Run.of("--repeats", "0").code());
    assertEquals(2, Run.of("--sanitizer", "valgrind", "--tiny").code());
    assertEquals(2, Run.of("--sanitizer", "memcheck").code());
    Path text = Files.writeString(folder.resolve("text"), "no tensors");
    Run run = Run.of("--device", "cpu", "--only", "golden", "--golden", text.toString());
    assertEquals(1, run.code());
    assertTrue(run.err().contains("text"), run.err());
  }
}
