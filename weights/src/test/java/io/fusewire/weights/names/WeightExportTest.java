// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.io.SafeTensors;
import io.fusewire.io.TensorInfo;
import io.fusewire.train.ModelFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Weights go out as they came in. */
final class WeightExportTest {
  @TempDir private Path folder;

  private static ModelFile model(String golden, String as) throws IOException {
    ModelFile read =
        WeightImport.load(GoldenFile.of(golden), ImportOptions.defaults().as(as)).model();
    List<String> names = IntStream.range(0, 10).mapToObj(i -> "kind " + i).toList();
    return new ModelFile(
        read.network(), names, read.preprocessing(), read.weights(), read.metadata());
  }

  /** Names and shapes of a file. */
  private static Map<String, List<Long>> shapes(Map<String, TensorInfo> tensors) {
    Map<String, List<Long>> shapes = new TreeMap<>();
    tensors.forEach((name, info) -> shapes.put(name, info.shape()));
    return shapes;
  }

  @ParameterizedTest(name = "{0} to {2}")
  @CsvSource({
    "torchvision-efficientnet_b0, torchvision, TORCHVISION, torchvision-efficientnet_b0",
    "torchvision-efficientnet_b0, torchvision, TIMM, ",
    "timm-tf_efficientnet_b0, timm:tf_efficientnet_b0, TIMM, ",
    "timm-tf_efficientnet_lite0, timm, TIMM, ",
    "keras-efficientnetb0, keras, TIMM, ",
    "keras-efficientnetb0, keras, FUSEWIRE, ",
    "torchvision-efficientnet_v2_s, torchvision, TORCHVISION, torchvision-efficientnet_v2_s",
    "torchvision-resnet18, torchvision, TORCHVISION, torchvision-resnet18",
  })
  void whatIsWrittenIsReadBackTheSame(String golden, String as, Library to, String expected)
      throws IOException {
    ModelFile model = model(golden, as);
    Path file = folder.resolve("out.safetensors");
    ExportedWeights written = WeightExport.write(model, to, file, false);
    try (SafeTensors tensors = SafeTensors.open(file)) {
      assertEquals(written.tensors(), tensors.tensors().size());
      if (expected != null) {
        // What strict loading needs: every key of the real library, and no other.
        assertEquals(shapes(GoldenFile.of(expected).tensors()), shapes(tensors.tensors()));
      }
    }
    ModelFile back = WeightImport.load(file, ImportOptions.defaults()).model();
    assertArrayEquals(model.weights(), back.weights());
    assertEquals(model.classNames(), back.classNames());
    assertEquals(model.preprocessing(), back.preprocessing());
    assertEquals(model.network().padding(), back.network().padding());
    assertEquals(model.network().batchNormEpsilon(), back.network().batchNormEpsilon());
    assertEquals(model.network().resolution(), back.network().resolution());
  }

  @Test
  void timmIsToldHowToBuildIt() throws IOException {
    Path file = folder.resolve("out.safetensors");
    ExportedWeights same =
        WeightExport.write(model("keras-efficientnetb0", "keras"), Library.TIMM, file, false);
    assertEquals("tf_efficientnet_b0", same.model());
    assertTrue(same.remarks().toString().contains("num_classes=10"), same.remarks().toString());
    ModelFile read = model("torchvision-efficientnet_b0", "torchvision");
    ModelFile odd =
        new ModelFile(
            read.network().toBuilder().batchNorm(1e-4, 0.1).build(),
            read.classNames(),
            read.preprocessing(),
            read.weights(),
            Map.of());
    String remarks = WeightExport.write(odd, Library.TIMM, file, false).remarks().toString();
    assertTrue(remarks.contains("bn_eps=1.0E-4"), remarks);
  }

  @ParameterizedTest
  @CsvSource({
    "keras-efficientnetb0, keras, tf_efficientnet_b0, conv_stem",
    "timm-tf_efficientnetv2_s, timm:tf_efficientnetv2_s, tf_efficientnetv2_s, conv_stem",
    "torchvision-resnet18, timm:resnet18, resnet18, conv1",
  })
  void timmTakesTheFolderOfAFileWithItsUsualName(
      String golden, String as, String architecture, String stem) throws IOException {
    ModelFile model = model(golden, as);
    Path file = folder.resolve("model.safetensors");
    ExportedWeights written = WeightExport.write(model, Library.TIMM, file, false);
    assertTrue(written.remarks().toString().contains("'local-dir:" + folder + "'"));
    String text = Files.readString(folder.resolve("config.json"));
    assertTrue(text.contains("\"first_conv\" : \"" + stem + "\""), text);
    TimmConfig config = TimmConfig.beside(file).orElseThrow();
    assertEquals(architecture, config.architecture());
    assertEquals(model.classNames(), config.classNames());
    assertEquals(Optional.of(model.preprocessing()), config.preprocessing());
    // Another file's folder is left alone.
    Files.writeString(folder.resolve("config.json"), "{\"mine\": 1}");
    String left = WeightExport.write(model, Library.TIMM, file, false).remarks().toString();
    assertTrue(left.contains("left as it is"), left);
    assertEquals("{\"mine\": 1}", Files.readString(folder.resolve("config.json")));
  }

  @Test
  void whatTorchvisionWouldComputeOtherwiseIsRefused() throws IOException {
    ModelFile same = model("timm-tf_efficientnet_b0", "timm:tf_efficientnet_b0");
    Path file = folder.resolve("out.safetensors");
    ExportRefusedException refused =
        assertThrows(
            ExportRefusedException.class,
            () -> WeightExport.write(same, Library.TORCHVISION, file, false));
    assertTrue(refused.getMessage().contains("other numbers"), refused.getMessage());
    assertEquals(2, refused.reasons().size());
    assertTrue(refused.forcible());
    assertFalse(Files.exists(file));
    WeightExport.write(same, Library.TORCHVISION, file, true);
    assertTrue(Files.exists(file));
  }

  @Test
  void whatALibraryHasNoNamesForIsNotEvenForced() throws IOException {
    ModelFile lite = model("timm-tf_efficientnet_lite0", "timm");
    Path file = folder.resolve("out.safetensors");
    ExportRefusedException refused =
        assertThrows(
            ExportRefusedException.class,
            () -> WeightExport.write(lite, Library.TORCHVISION, file, true));
    assertFalse(refused.forcible());
    assertThrows(
        IllegalArgumentException.class, () -> WeightExport.write(lite, Library.KERAS, file, true));
  }
}
