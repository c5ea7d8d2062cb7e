// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import static io.fusewire.weights.format.Samples.assertCounted;
import static io.fusewire.weights.format.Samples.assertRefused;
import static io.fusewire.weights.format.Samples.assertTensor;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.io.ElementType;
import io.fusewire.io.FileFormatException;
import io.fusewire.io.TensorFile;
import io.fusewire.weights.WeightFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** TensorFlow's checkpoints, as TensorFlow wrote them and damaged. */
class TensorFlowCheckpointTest {
  private static final String DATA = "tensorflow.ckpt.data-00000-of-00001";

  @TempDir Path folder;
  private Path index;

  @BeforeEach
  void copy() throws IOException {
    index =
        Files.copy(Samples.path("tensorflow.ckpt.index"), folder.resolve("tensorflow.ckpt.index"));
    Files.copy(Samples.path(DATA), folder.resolve(DATA));
  }

  @ParameterizedTest
  @ValueSource(strings = {"tensorflow.ckpt", "tensorflow.ckpt.index"})
  void readsEveryTensorOfAPrefixOrAnIndex(String name) throws IOException {
    try (TensorFile file = Samples.open(name)) {
      assertEquals(45, file.tensors().size());
      for (int i = 0; i < 40; i++) {
        String kernel = "efficientnet-b0/blocks_" + i + "/conv2d/kernel";
        assertTensor(file, kernel, ElementType.F32, 1, 1, 2, 3);
      }
      assertTensor(file, "half", ElementType.F16, 2, 3);
      assertTensor(file, "bfloat", ElementType.BF16, 2, 3);
      assertTensor(file, "double", ElementType.F64, 2, 3);
      assertTensor(file, "empty", ElementType.F32, 0, 3);
      assertCounted(file, "global_step", ElementType.I64, 7, 1);
      assertFalse(file.tensors().containsKey("text"));
    }
  }

  @Test
  void readsSeveralDataFiles() throws IOException {
    try (TensorFile file = Samples.open("tensorflow-shards.ckpt")) {
      assertTensor(file, "a", ElementType.F32, 2, 3);
      assertTensor(file, "b", ElementType.F32, 5);
    }
  }

  @Test
  void findsTheCheckpointOfAFolder() throws IOException {
    try (TensorFile file = WeightFiles.open(folder)) {
      assertEquals(45, file.tensors().size());
    }
    Path state = folder.resolve("checkpoint");
    Files.writeString(state, "model_checkpoint_path: \"/elsewhere/tensorflow.ckpt\"\n");
    try (TensorFile file = WeightFiles.open(folder)) {
      assertEquals(45, file.tensors().size());
    }
    assertRefused(Files.writeString(state, "all_model_checkpoint_paths: \"x\"\n"), "no file");
    assertRefused(Files.createDirectory(folder.resolve("empty")), "folder without");
  }

  @Test
  void refusesWhatItCannotRead() throws IOException {
    assertRefused(Samples.path("tensorflow-slices.ckpt.index"), "'sliced'", "slices");
    assertRefused(folder.resolve(DATA), "give its .index");
    Files.delete(folder.resolve(DATA));
    assertRefused(index, "needs " + DATA);
  }

  @Test
  void seesEveryDamagedByte() throws IOException {
    byte[] bytes = Files.readAllBytes(index);
    int footer = bytes.length - 48;
    for (int i = 0; i < footer; i += 7) {
      byte[] damaged = bytes.clone();
      damaged[i] ^= 4;
      assertRefused(Files.write(index, damaged), "damaged checkpoint index");
    }
    Files.write(index, bytes);
    byte[] data = Files.readAllBytes(folder.resolve(DATA));
    data[1] ^= 1;
    Files.write(folder.resolve(DATA), data);
    try (TensorFile file = WeightFiles.open(index)) {
      assertEquals(
          1, file.tensors().keySet().stream().filter(name -> !readable(file, name)).count());
    }
  }

  private static boolean readable(TensorFile file, String name) {
    try {
      file.readFloats(name);
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  @Test
  void refusesTruncatedFiles() throws IOException {
    byte[] bytes = Files.readAllBytes(index);
    for (int length = 0; length < bytes.length; length += 13) {
      assertRefused(Files.write(index, Arrays.copyOf(bytes, length)));
    }
    Files.write(index, bytes);
    Files.write(folder.resolve(DATA), new byte[100]);
    FileFormatException e = assertThrows(FileFormatException.class, () -> WeightFiles.open(index));
    assertTrue(e.getMessage().contains("where there are 100"), e.getMessage());
  }
}
