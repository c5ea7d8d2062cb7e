// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.graph.ExpansionPolicy;
import io.fusewire.graph.ImageInput;
import io.fusewire.graph.InferenceNetwork;
import io.fusewire.model.Interpolation;
import io.fusewire.model.Preprocessing;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Weights under every library's names give the logits that PyTorch computed with them. The values
 * come from a formula that {@code golden.py} shares, so that no weights need be kept.
 */
final class LogitsTest {
  private static final int PIXELS = 64;
  private static final double TOLERANCE = 1e-5;

  private static double[] golden(String title) throws IOException {
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(
                LogitsTest.class.getResourceAsStream("logits.txt"), StandardCharsets.UTF_8))) {
      String line = lines.lines().filter(l -> l.startsWith(title + " ")).findFirst().orElseThrow();
      return Arrays.stream(line.substring(title.length() + 1).split(" ", -1))
          .mapToDouble(Double::parseDouble)
          .toArray();
    }
  }

  @ParameterizedTest(name = "{0} as {1}")
  @CsvSource({
    "torchvision-efficientnet_b0, torchvision, efficientnet_b0",
    "timm-tf_efficientnet_b0, timm:efficientnet_b0, efficientnet_b0",
    "timm-tf_efficientnet_b0, timm:tf_efficientnet_b0, efficientnet_b0-same",
    "lukemelas-efficientnet-b0, lukemelas, efficientnet_b0-same",
    "tensorflow-efficientnet-b0, tensorflow, efficientnet_b0-same",
    "keras-efficientnetb0, keras, efficientnet_b0-same",
    "torchvision-efficientnet_v2_s, torchvision, efficientnet_v2_s",
    "timm-tf_efficientnetv2_s, timm:tf_efficientnetv2_s, efficientnet_v2_s-same",
    "tensorflow-efficientnetv2-s, tensorflow, efficientnet_v2_s-same",
    "keras-efficientnetv2-s, keras, efficientnet_v2_s-same",
    "torchvision-resnet18, torchvision, resnet18",
  })
  void logitsAreThoseOfPyTorch(String file, String as, String title) throws IOException {
    double[] expected = golden(title);
    ImportedWeights weights =
        WeightImport.load(GoldenFile.of(file), ImportOptions.defaults().as(as));
    float[] logits = logits(weights);
    assertEquals(expected.length, logits.length);
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < expected.length; i++) {
      difference += Math.pow(logits[i] - expected[i], 2);
      norm += expected[i] * expected[i];
    }
    double error = Math.sqrt(difference / norm);
    assertTrue(error < TOLERANCE, "relative error " + error + ": " + Arrays.toString(logits));
  }

  private static float[] logits(ImportedWeights weights) {
    Preprocessing colours =
        Preprocessing.ofPhotographs(
            PIXELS,
            Interpolation.BILINEAR,
            1.0,
            List.of(0.485f, 0.456f, 0.406f),
            List.of(0.229f, 0.224f, 0.225f));
    ByteBuffer image = ByteBuffer.allocateDirect(PIXELS * PIXELS * 3);
    double[] u = GoldenFile.uniform("image", image.capacity());
    for (int i = 0; i < u.length; i++) {
      image.put(i, (byte) (int) (u[i] * 256));
    }
    var small = weights.model().network().toBuilder();
    small.resolution(PIXELS);
    try (Stream stream = Stream.open(Device.cpu());
        InferenceNetwork network =
            InferenceNetwork.open(
                stream,
                small.build(),
                1,
                DType.F32,
                ImageInput.plain(colours),
                null,
                ExpansionPolicy.STORED)) {
      network.load(weights.model().weights());
      network.images().copyFrom(stream, image);
      network.run();
      return network.logits().toFloats(stream);
    }
  }
}
