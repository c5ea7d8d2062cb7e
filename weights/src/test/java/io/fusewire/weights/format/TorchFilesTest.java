// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import static io.fusewire.weights.format.Samples.assertCounted;
import static io.fusewire.weights.format.Samples.assertRefused;
import static io.fusewire.weights.format.Samples.assertTensor;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.fusewire.io.ElementType;
import io.fusewire.io.FileFormatException;
import io.fusewire.io.TensorFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** PyTorch's files, as PyTorch wrote them and as someone ill-meaning would. */
class TorchFilesTest {
  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"torch.pth", "torch-legacy.pth", "torch-protocol4.pth"})
  void readsEveryTensor(String name) throws IOException {
    try (TensorFile file = Samples.open(name)) {
      assertEquals(
          List.of(
              "conv.weight",
              "bn.weight",
              "bn.num_batches_tracked",
              "half",
              "bfloat",
              "double",
              "bytes",
              "transposed",
              "channels_last",
              "empty"),
          List.copyOf(file.tensors().keySet()));
      assertTensor(file, "conv.weight", ElementType.F32, 4, 3, 2, 2);
      assertTensor(file, "bn.weight", ElementType.F32, 5);
      assertTensor(file, "half", ElementType.F16, 2, 3);
      assertTensor(file, "bfloat", ElementType.BF16, 2, 3);
      assertTensor(file, "double", ElementType.F64, 2, 3);
      assertTensor(file, "transposed", ElementType.F32, 3, 4);
      assertTensor(file, "channels_last", ElementType.F32, 2, 3, 2, 2);
      assertTensor(file, "empty", ElementType.F32, 0, 3);
      assertCounted(file, "bytes", ElementType.U8, 0, 1, 4);
      assertCounted(file, "bn.num_batches_tracked", ElementType.I64, 7, 1);
      Assertions.assertThrows(FileFormatException.class, () -> file.readFloats("none"));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"torch-views.pth", "torch-views-legacy.pth"})
  void readsTensorsThatShareAStorage(String name) throws IOException {
    try (TensorFile file = Samples.open(name)) {
      assertTensor(file, "whole", ElementType.F32, 4, 6);
      assertCounted(file, "row", ElementType.F32, 12 - 3, 0.25f, 6);
      assertArrayEquals(new float[] {-0.5f, 1, 2.5f, 4}, file.readFloats("column"));
      assertArrayEquals(
          new float[] {1.25f, 1.5f, 1.75f, 2.75f, 3, 3.25f}, file.readFloats("block"));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"torch-checkpoint.pth", "torch-checkpoint-legacy.pth"})
  void findsTheAveragedWeightsOfACheckpoint(String name) throws IOException {
    try (TensorFile file = Samples.open(name)) {
      assertEquals(
          List.of(
              "0.weight",
              "0.bias",
              "1.weight",
              "1.bias",
              "1.running_mean",
              "1.running_var",
              "1.num_batches_tracked"),
          List.copyOf(file.tensors().keySet()));
      assertEquals("state_dict_ema", file.metadata().get("entry"));
      assertEquals("efficientnet_b0", file.metadata().get("arch"));
      assertEquals("3", file.metadata().get("epoch"));
      assertEquals(108, file.readFloats("0.weight").length);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"torch-hostile.pth", "torch-hostile-legacy.pth"})
  void runsNothing(String name) {
    assertRefused(Samples.path(name), "posix.system", "nothing was run");
    assertFalse(Files.exists(Path.of("/tmp/fusewire-hostile")));
  }

  @Test
  void refusesWhatIsNoWeights() {
    assertRefused(Samples.path("torch-model.pth"), "torch.nn.modules", "state_dict()");
    assertRefused(Samples.path("torch-script.pt"), "TorchScript");
    assertRefused(Samples.path("torch-expanded.pth"), "'expanded'", "1000", ".contiguous()");
  }

  @Test
  void refusesDictionariesItCannotChooseBetween() throws IOException {
    // {"a": {1: 2}, "b": {1: 2}}
    assertRefused(pickle("\u0080\2}(U\1a}K\1K\2sU\1b}K\1K\2su."), "2 dictionaries", "a, b");
    assertRefused(pickle("\u0080\2}."), "no tensors by name");
    assertRefused(pickle("\u0080\2K\1."), "no dictionary of tensors");
  }

  @Test
  void refusesNestingLoopsAndKeysThatHoldThemselves() throws IOException {
    StringBuilder deep = new StringBuilder("\u0080\2");
    deep.append("}U\1a".repeat(100_000)).append("K\1").append("s".repeat(100_000)).append('.');
    assertRefused(pickle(deep.toString()), "nested");
    // d = {}; d["a"] = d
    assertRefused(pickle("\u0080\2}q\0U\1ah\0s."), "nested");
    // d = {}; d[d] = 1; and a tuple in a tuple ... as a key.
    assertRefused(pickle("\u0080\2}q\0h\0K\1s."), "no tensors by name");
    assertRefused(pickle("\u0080\2})" + "\u0085".repeat(100_000) + "K\1s."), "no tensors by name");
  }

  @Test
  void refusesLengthsThatTheFileDoesNotHave() throws IOException {
    assertRefused(pickle("\u0080\2X\u00ff\u00ff\u00ff\u007f."), "2147483647 bytes");
    assertRefused(pickle("\u0080\2X\u00ff\u00ff\u00ff\u00ff."), "4294967295 bytes");
    assertRefused(pickle("\u0080\2\u0096\0\0\0\0\0\0\0\u0080."), "9223372036854775808 bytes");
    assertRefused(pickle("\u0080\2\u008b\u00ff\u00ff\u00ff\u007f."), "255 bytes");
    assertRefused(pickle("\u0080\2L1" + "0".repeat(1000) + "L\n."), "'L'");
  }

  @Test
  void refusesPicklesThatDoNotEndOrDoTooMuch() throws IOException {
    assertRefused(pickle("\u0080\2}"), "does not end");
    assertRefused(pickle("."), "damaged");
    assertRefused(pickle("\u0080\2(K\1e."), "damaged");
    assertRefused(pickle("\u0080\2" + "N0".repeat(1_000_001) + "."), "2000000 operations");
  }

  @Test
  void refusesTensorsOutsideTheirStorages() throws IOException {
    assertRefused(tensor(0, 8, 1, 8), "8 elements", "has 4");
    assertRefused(tensor(1, 4, 1, 4), "ends at element 4");
    assertRefused(tensor(0, 4, 200, 4), "ends at element 600");
    assertRefused(tensor(0, 2, 1, 5), "storage of 5 elements");
  }

  /** An archive with a storage of four floats and a tensor that says it lies there. */
  private Path tensor(int offset, int extent, int stride, int count) throws IOException {
    return pickle(
        "\u0080\2}U\1wctorch._utils\n_rebuild_tensor_v2\n((U\7storagectorch\nFloatStorage\nU\1"
            + "0U\3cpuK"
            + (char) count
            + "tQK"
            + (char) offset
            + "K"
            + (char) extent
            + "\u0085K"
            + (char) stride
            + "\u0085\u0089ccollections\nOrderedDict\n)RtRs.");
  }

  private Path pickle(String operations) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      zip.putNextEntry(new ZipEntry("archive/data.pkl"));
      zip.write(operations.getBytes(java.nio.charset.StandardCharsets.ISO_8859_1));
      zip.putNextEntry(new ZipEntry("archive/data/0"));
      zip.write(new byte[16]);
    }
    return Files.write(folder.resolve("weights.pth"), bytes.toByteArray());
  }
}
