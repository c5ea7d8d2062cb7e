// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import static io.fusewire.weights.format.Samples.assertRefused;
import static io.fusewire.weights.format.Samples.assertTensor;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fusewire.io.ElementType;
import io.fusewire.io.TensorFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Keras's HDF5 files, as h5py wrote them and damaged. */
class KerasHdfTest {
  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"keras-weights.h5", "keras-model.h5"})
  void readsTheWeightsThatLayersList(String name) throws IOException {
    try (TensorFile file = Samples.open(name)) {
      assertEquals(
          List.of(
              "stem_conv/kernel:0",
              "stem_bn/gamma:0",
              "stem_bn/moving_variance:0",
              "predictions/kernel:0",
              "predictions/bias:0"),
          List.copyOf(file.tensors().keySet()));
      assertTensor(file, "stem_conv/kernel:0", ElementType.F32, 3, 3, 3, 4);
      assertTensor(file, "stem_bn/gamma:0", ElementType.F32, 4);
      assertTensor(file, "stem_bn/moving_variance:0", ElementType.F16, 4);
      assertTensor(file, "predictions/bias:0", ElementType.F64, 2);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"keras3.weights.h5", "keras3-latest.weights.h5"})
  void namesOtherTensorsByTheirPathAndFollowsNoLinks(String name) throws IOException {
    try (TensorFile file = Samples.open(name)) {
      assertEquals(13, file.tensors().size());
      assertTensor(file, "layers/conv2d/vars/0", ElementType.F32, 2, 3);
      assertTensor(file, "layers/conv2d_11/vars/0", ElementType.F32, 2, 3);
      assertTensor(file, "layers/dense/vars/1", ElementType.F32, 2);
    }
  }

  @Test
  void namesTheVariablesOfAnArchiveByTheirLayers() throws IOException {
    try (TensorFile file = Samples.open("keras3.keras")) {
      assertEquals(
          Set.of(
              "normalization/mean",
              "stem_conv/kernel",
              "stem_bn/gamma",
              "stem_bn/beta",
              "stem_bn/moving_mean",
              "stem_bn/moving_variance",
              "block1a_dwconv/depthwise_kernel",
              "block1a_project_conv/kernel",
              "predictions/kernel",
              "predictions/bias",
              "special/0"),
          file.tensors().keySet());
      assertTensor(file, "block1a_project_conv/kernel", ElementType.F32, 1, 1, 4, 2);
      assertTensor(file, "stem_bn/moving_variance", ElementType.F32, 4);
    }
  }

  @Test
  void refusesWhatItCannotRead() {
    assertRefused(Samples.path("hdf-chunked.h5"), "'x'", "chunks", "h5repack");
    assertRefused(Samples.path("hdf-cycle.h5"), "without an end");
    assertRefused(Samples.path("hdf-strings.h5"), "'x'", "no plain numbers");
    assertRefused(Samples.path("keras3-compressed.keras"), "compressed weights");
  }

  @Test
  void refusesTruncatedFiles() throws IOException {
    byte[] bytes = Files.readAllBytes(Samples.path("keras-weights.h5"));
    for (int length = 8; length < bytes.length; length += 97) {
      assertRefused(Files.write(folder.resolve("weights.h5"), Arrays.copyOf(bytes, length)));
    }
  }
}
