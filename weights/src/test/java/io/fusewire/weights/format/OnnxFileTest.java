// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import static io.fusewire.weights.format.Samples.assertCounted;
import static io.fusewire.weights.format.Samples.assertRefused;
import static io.fusewire.weights.format.Samples.assertTensor;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fusewire.io.ElementType;
import io.fusewire.io.TensorFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** ONNX files, as ONNX wrote them and damaged. */
class OnnxFileTest {
  @TempDir Path folder;

  @Test
  void readsEveryInitialiser() throws IOException {
    try (TensorFile file = Samples.open("onnx.onnx")) {
      assertEquals(11, file.tensors().size());
      assertTensor(file, "conv.weight", ElementType.F32, 4, 3, 2, 2);
      assertTensor(file, "half", ElementType.F16, 2, 3);
      assertTensor(file, "empty", ElementType.F32, 0, 3);
      assertTensor(file, "typed.float", ElementType.F32, 2, 3);
      assertTensor(file, "typed.double", ElementType.F64, 2, 3);
      assertTensor(file, "typed.half", ElementType.F16, 2, 3);
      assertTensor(file, "typed.bfloat", ElementType.BF16, 2, 3);
      assertCounted(file, "long", ElementType.I64, -3, 1, 2, 3);
      assertCounted(file, "typed.long", ElementType.I64, -3, 1, 2, 3);
      assertCounted(file, "typed.int", ElementType.I32, -3, 1, 2, 3);
      assertArrayEquals(new float[] {2.5f}, file.readFloats("scalar"));
      assertEquals("efficientnet_b0", file.metadata().get("arch"));
      assertEquals("fusewire tests", file.metadata().get("producer"));
    }
  }

  @Test
  void refusesWhatItCannotRead() throws IOException {
    assertRefused(Samples.path("onnx-external.onnx"), "'external'", "external data");
    assertRefused(write("\u0008\u0008\u0012\1x"), "no graph");
    assertRefused(write("\u0008\u0008:\0"), "no tensors");
  }

  @Test
  void refusesLengthsThatTheFileDoesNotHave() throws IOException {
    assertRefused(write("\u0008\u0008:\u00ff\u00ff\u00ff\u00ff\7"), "2147483647 bytes");
    assertRefused(write("\u0008\u0008:\u00ff\u00ff\u00ff\u00ff\u000f"), "4294967295 bytes");
    // A graph with a tensor of raw bytes that end behind the file; one of nothing for 2^40
    // elements.
    assertRefused(write("\u0008\u0008:\4*\2J\u007f"), "127 bytes");
    assertRefused(
        write("\u0008\u0008:\15*\13\10\u0080\u0080\u0080\u0080\u0080 \u0010\1B\0"),
        "[1099511627776]");
  }

  @Test
  void refusesTruncatedFiles() throws IOException {
    byte[] bytes = Files.readAllBytes(Samples.path("onnx.onnx"));
    Path file = folder.resolve("model.onnx");
    // The last fields, of the operators' version and properties, are behind the graph.
    for (int length = 0; length < bytes.length - 64; length += 11) {
      assertRefused(Files.write(file, Arrays.copyOf(bytes, length)));
    }
  }

  private Path write(String bytes) throws IOException {
    return Files.write(folder.resolve("model.onnx"), bytes.getBytes(StandardCharsets.ISO_8859_1));
  }
}
