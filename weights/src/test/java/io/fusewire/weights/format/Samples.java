// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.io.ElementType;
import io.fusewire.io.FileFormatException;
import io.fusewire.io.TensorFile;
import io.fusewire.io.TensorInfo;
import io.fusewire.weights.WeightFiles;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;

/** The files that {@code reference.py} and {@code TensorFlowReference} wrote. */
final class Samples {
  private Samples() {}

  static Path path(String name) {
    try {
      return Path.of(Samples.class.getResource("reference.py").toURI()).resolveSibling(name);
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  static TensorFile open(String name) throws IOException {
    return WeightFiles.open(path(name));
  }

  /** Asserts that a tensor is what the reference writes: element i is (i - 3) / 4. */
  static void assertTensor(TensorFile file, String name, ElementType type, Integer... shape)
      throws IOException {
    assertCounted(file, name, type, -3, 0.25f, shape);
  }

  static void assertCounted(
      TensorFile file, String name, ElementType type, float first, float step, Integer... shape)
      throws IOException {
    List<Long> extents = List.of(shape).stream().map(Integer::longValue).toList();
    assertEquals(new TensorInfo(name, type, extents), file.tensors().get(name));
    float[] values = file.readFloats(name);
    float[] expected = new float[(int) file.tensors().get(name).count()];
    for (int i = 0; i < expected.length; i++) {
      expected[i] = (i + first) * step;
    }
    assertArrayEquals(expected, values, name);
  }

  /** Asserts that a file is refused by its name and with these words. */
  static void assertRefused(Path file, String... words) {
    FileFormatException e =
        assertThrows(
            FileFormatException.class,
            () -> {
              try (TensorFile opened = WeightFiles.open(file)) {
                for (String name : opened.tensors().keySet()) {
                  opened.readFloats(name);
                }
              }
            });
    assertTrue(e.getMessage().contains(file.getFileName().toString()), e.getMessage());
    for (String word : words) {
      assertTrue(e.getMessage().contains(word), e.getMessage());
    }
  }
}
