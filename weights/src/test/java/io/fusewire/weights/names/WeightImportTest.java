// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.io.FileFormatException;
import io.fusewire.model.Interpolation;
import io.fusewire.model.Padding;
import io.fusewire.model.Parameter;
import io.fusewire.train.ModelFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What is made of a file's keys, and what is said of those that do not fit. */
final class WeightImportTest {
  private static final String TIMM = "timm-tf_efficientnet_b0";
  private static final String TORCHVISION = "torchvision-efficientnet_b0";

  @TempDir private Path folder;

  private static ImportedWeights load(GoldenFile file) throws IOException {
    return WeightImport.load(file, ImportOptions.defaults());
  }

  private static float[] part(ImportedWeights weights, String name) {
    Parameter parameter = weights.model().network().parameters().get(name);
    int from = Math.toIntExact(parameter.offset());
    return Arrays.copyOfRange(
        weights.model().weights(), from, from + Math.toIntExact(parameter.count()));
  }

  private static String remarks(ImportedWeights weights) {
    return String.join("\n", weights.remarks());
  }

  @Test
  void torchvisionMeansSymmetricPadding() throws IOException {
    ImportedWeights weights = load(GoldenFile.of(TORCHVISION));
    assertEquals("efficientnet_b0", weights.sourceModel());
    assertEquals(Padding.SYMMETRIC, weights.model().network().padding());
    assertEquals(1e-5, weights.model().network().batchNormEpsilon());
    assertEquals(256, weights.model().preprocessing().shorterSide());
    assertEquals(Interpolation.BICUBIC, weights.model().preprocessing().interpolation());
    assertTrue(weights.classifierLoaded());
    assertEquals(List.of(), weights.remarks());
    assertArrayEquals(
        GoldenFile.value("features.0.1.running_var", 32), part(weights, "bn1.running_var"));
  }

  @Test
  void timmIsAmbiguousAndSaysSo() throws IOException {
    ImportedWeights weights = load(GoldenFile.of(TIMM));
    assertEquals("efficientnet_b0", weights.sourceModel());
    assertEquals(Padding.SYMMETRIC, weights.model().network().padding());
    assertTrue(remarks(weights).contains("--as timm:tf_efficientnet_b0"), remarks(weights));
  }

  @Test
  void whatTheUserSaysCounts() throws IOException {
    ImportOptions options = ImportOptions.defaults().as("timm:tf_efficientnet_b0.ap_in1k");
    ImportedWeights weights =
        WeightImport.load(GoldenFile.of(TIMM, Path.of("efficientnet_b0.pth")), options);
    assertEquals(Padding.SAME, weights.model().network().padding());
    assertEquals(1e-3, weights.model().network().batchNormEpsilon());
    assertEquals(List.of(0.5f, 0.5f, 0.5f), weights.model().preprocessing().mean());
    assertEquals(List.of(), weights.remarks());
  }

  @Test
  void fileNamesTell() throws IOException {
    ImportedWeights noisy =
        load(GoldenFile.of(TIMM, Path.of("tf_efficientnet_b0_ns-c0e6a31c.pth")));
    assertEquals("tf_efficientnet_b0", noisy.sourceModel());
    assertEquals(Padding.SAME, noisy.model().network().padding());
    assertTrue(remarks(noisy).contains("by its name"), remarks(noisy));
    ImportedWeights adversarial =
        load(GoldenFile.of(TIMM, Path.of("tf_efficientnet_b0_ap-f262efe1.pth")));
    assertEquals(0.5f, adversarial.model().preprocessing().mean().get(0));
    ImportedWeights folderTells =
        load(GoldenFile.of(TIMM, Path.of("tf_efficientnet_b0.in1k", "model.safetensors")));
    assertEquals(Padding.SAME, folderTells.model().network().padding());
  }

  @Test
  void metadataTells() throws IOException {
    ImportedWeights weights =
        load(GoldenFile.of(TIMM).withMetadata("architecture", "tf_efficientnet_b0"));
    assertEquals(Padding.SAME, weights.model().network().padding());
  }

  @Test
  void timmsConfigurationBesideTheFileTells() throws IOException {
    Files.writeString(
        folder.resolve("config.json"),
        """
        {"architecture": "tf_efficientnet_b0", "num_classes": 10,
         "label_names": ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"],
         "pretrained_cfg": {"tag": "ns_jft_in1k", "input_size": [3, 200, 200], "crop_pct": 0.8,
           "interpolation": "bilinear", "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}}
        """);
    ImportedWeights weights = load(GoldenFile.of(TIMM, folder.resolve("model.safetensors")));
    assertEquals(Padding.SAME, weights.model().network().padding());
    assertEquals(200, weights.model().preprocessing().window());
    assertEquals(200, weights.model().network().resolution());
    assertEquals(0.3f, weights.model().preprocessing().mean().get(2));
    assertEquals("j", weights.model().classNames().get(9));
    ImportedWeights said =
        WeightImport.load(
            GoldenFile.of(TIMM, folder.resolve("model.safetensors")),
            ImportOptions.defaults().as("timm:efficientnet_b0"));
    assertEquals(Padding.SYMMETRIC, said.model().network().padding());
    assertEquals(224, said.model().preprocessing().window());
    Files.writeString(folder.resolve("config.json"), "{\"architecture\": ");
    assertThrows(
        FileFormatException.class,
        () -> load(GoldenFile.of(TIMM, folder.resolve("model.safetensors"))));
  }

  @Test
  void anotherClassCountTakesEverythingButTheClassifier() throws IOException {
    ImportedWeights weights =
        WeightImport.load(GoldenFile.of(TORCHVISION), ImportOptions.defaults().withClasses(3));
    assertFalse(weights.classifierLoaded());
    assertEquals(3, weights.model().network().classes());
    assertEquals(3, weights.model().classNames().size());
    assertTrue(remarks(weights).contains("10 classes, not 3"), remarks(weights));
    assertArrayEquals(GoldenFile.value("features.8.1.bias", 1280), part(weights, "bn2.bias"));
    assertEquals(3 * 1280, part(weights, "classifier.weight").length);
  }

  @Test
  void aFileWithoutClassifierIsTaken() throws IOException {
    ImportedWeights weights =
        load(
            GoldenFile.of(TORCHVISION).without("classifier.1.weight").without("classifier.1.bias"));
    assertFalse(weights.classifierLoaded());
    assertTrue(remarks(weights).contains("no classifier"), remarks(weights));
    assertTrue(ModelFile.classifierIsInitial(weights.model().metadata()));
  }

  /** Whoever converts a file without classifier must not take the one that is written for one. */
  @ParameterizedTest
  @EnumSource(names = {"FUSEWIRE", "TIMM", "TORCHVISION"})
  void anInitialClassifierIsKnownForOneAfterConversion(Library to) throws IOException {
    GoldenFile file = GoldenFile.of(TORCHVISION);
    file.without("classifier.1.weight").without("classifier.1.bias");
    Path written = folder.resolve("written.safetensors");
    WeightExport.write(load(file).model(), to, written, false);
    ImportedWeights back = WeightImport.load(written, ImportOptions.defaults());
    assertFalse(back.classifierLoaded());
    assertTrue(remarks(back).contains("never trained"), remarks(back));
    assertTrue(ModelFile.classifierIsInitial(back.model().metadata()));
    ImportedWeights few = WeightImport.load(written, ImportOptions.defaults().withClasses(3));
    assertFalse(few.classifierLoaded());
    assertFalse(remarks(few).contains("never trained"), remarks(few));
    assertTrue(ModelFile.classifierIsInitial(few.model().metadata()));
  }

  @Test
  void wrappersAreStripped() throws IOException {
    ImportedWeights weights =
        load(
            GoldenFile.of(TORCHVISION)
                .renamed(name -> "state_dict.module." + name)
                .add("optimizer.state.0.exp_avg", List.of(5L), "x"));
    assertEquals(Library.TORCHVISION, weights.library());
    assertTrue(remarks(weights).contains("not the 1 tensors beside it"), remarks(weights));
  }

  @Test
  void movingAveragesArePreferred() throws IOException {
    String kernel = "efficientnet-b0/stem/conv2d/kernel";
    GoldenFile file = GoldenFile.of("tensorflow-efficientnet-b0");
    file.add(kernel + "/ExponentialMovingAverage", List.of(3L, 3L, 3L, 32L), "average");
    file.add(kernel + "/RMSProp_1", List.of(3L, 3L, 3L, 32L), "slot");
    file.add("global_step", List.of(), "step");
    ImportedWeights weights = load(file);
    Parameter stem = weights.model().network().parameters().get("conv_stem.weight");
    assertArrayEquals(
        stem.toKernelLayout(GoldenFile.value("average", 32, 3, 3, 3)),
        part(weights, "conv_stem.weight"));
    assertTrue(remarks(weights).contains("moving averages of 1"), remarks(weights));
    assertTrue(remarks(weights).contains("2 tensors of the optimizer"), remarks(weights));
  }

  @Test
  void kerasNormalizationBecomesPreprocessing() throws IOException {
    ImportedWeights weights = load(GoldenFile.of("keras-efficientnetb0"));
    assertEquals(List.of(0.485f, 0.456f, 0.406f), weights.model().preprocessing().mean());
    assertEquals(List.of(0.229f, 0.224f, 0.225f), weights.model().preprocessing().std());
    assertTrue(remarks(weights).contains("normalization layer"), remarks(weights));
  }

  @Test
  void greyImagesAreTaken() throws IOException {
    GoldenFile file = GoldenFile.of(TIMM).without("conv_stem.weight");
    file.add("conv_stem.weight", List.of(32L, 1L, 3L, 3L), "stem");
    ImportedWeights weights = load(file);
    assertEquals(1, weights.model().network().inputChannels());
    assertEquals(1, weights.model().preprocessing().mean().size());
  }

  @Test
  void whatDoesNotFitIsListedAndNothingIsLoaded() {
    GoldenFile file = GoldenFile.of(TORCHVISION).without("features.8.1.bias");
    file.without("features.0.1.weight").add("features.0.1.weight", List.of(31L), "x");
    file.add("extra.weight", List.of(1L), "x");
    KeyMismatchException error = assertThrows(KeyMismatchException.class, () -> load(file));
    assertEquals(List.of("features.8.1.bias"), error.missing());
    assertEquals(List.of("extra.weight"), error.unexpected());
    assertEquals(List.of("'features.0.1.weight' is [31], where [32] is needed"), error.misshapen());
    assertTrue(error.getMessage().contains("torchvision's b0"), error.getMessage());
    assertTrue(error.getMessage().contains("1 missing: features.8.1.bias"), error.getMessage());
  }

  @Test
  void foldedBatchNormsAreRecognised() {
    GoldenFile file = GoldenFile.of(TIMM);
    List.copyOf(file.tensors().keySet()).stream()
        .filter(name -> name.contains("bn"))
        .forEach(file::without);
    KeyMismatchException error = assertThrows(KeyMismatchException.class, () -> load(file));
    assertTrue(error.getMessage().contains("folded"), error.getMessage());
    assertTrue(error.getMessage().contains("more"), error.getMessage());
  }

  @Test
  void modelsThatOnnxFoldedAreRecognised() {
    GoldenFile file = GoldenFile.of(TORCHVISION);
    int[] number = {100};
    List.copyOf(file.tensors().keySet()).stream()
        .filter(name -> name.startsWith("features.") && !name.contains("fc"))
        .forEach(
            name -> {
              if (file.tensors().get(name).shape().size() == 4) {
                file.add("onnx::Conv_" + number[0]++, file.tensors().get(name).shape(), "x");
              }
              file.without(name);
            });
    FileFormatException error = assertThrows(FileFormatException.class, () -> load(file));
    assertTrue(error.getMessage().contains("folded"), error.getMessage());
  }

  @Test
  void somethingElseIsNotTakenForANetwork() {
    GoldenFile file = GoldenFile.empty();
    file.add("encoder.layer.0.weight", List.of(5L, 5L), "x");
    FileFormatException error = assertThrows(FileFormatException.class, () -> load(file));
    assertFalse(error instanceof KeyMismatchException);
    assertTrue(error.getMessage().contains("encoder.layer.0.weight"), error.getMessage());
    assertThrows(FileFormatException.class, () -> load(GoldenFile.empty()));
  }

  @Test
  void absurdSizesAreRefused() {
    GoldenFile inputs = GoldenFile.of(TIMM).without("conv_stem.weight");
    inputs.add("conv_stem.weight", List.of(32L, 77L, 3L, 3L), "stem");
    assertTrue(
        assertThrows(FileFormatException.class, () -> load(inputs))
            .getMessage()
            .contains("77 channels"));
    GoldenFile classes = GoldenFile.of(TIMM).without("classifier.weight");
    classes.add("classifier.weight", List.of(1L << 40, 1280L), "classifier");
    assertThrows(FileFormatException.class, () -> load(classes));
    GoldenFile disagreeing = GoldenFile.of(TIMM).without("classifier.bias");
    disagreeing.add("classifier.bias", List.of(11L), "bias");
    assertThrows(FileFormatException.class, () -> load(disagreeing));
  }

  @Test
  void unknownSourcesAreRefused() {
    ImportOptions options = ImportOptions.defaults();
    assertThrows(IllegalArgumentException.class, () -> options.as("timm:efficientnet_b99"));
    assertThrows(IllegalArgumentException.class, () -> options.as("pytorch"));
    assertThrows(IllegalArgumentException.class, () -> options.as("efficientnet_b0"));
    assertEquals("tf_efficientnet_b0", options.as("tf_efficientnet_b0").source().orElseThrow());
    assertThrows(
        FileFormatException.class,
        () -> WeightImport.load(GoldenFile.of(TIMM), options.as("lukemelas")));
    assertThrows(
        KeyMismatchException.class,
        () -> WeightImport.load(GoldenFile.of(TIMM), options.as("timm:efficientnet_b1")));
  }
}
