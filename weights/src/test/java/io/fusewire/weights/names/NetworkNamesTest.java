// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.io.FileFormatException;
import io.fusewire.model.Parameter;
import io.fusewire.model.Preprocessing;
import java.io.IOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Every library's names of every architecture, and the lists of keys that libraries have. */
final class NetworkNamesTest {

  @ParameterizedTest(name = "{0}")
  @CsvSource({
    "torchvision-efficientnet_b0, TORCHVISION, b0",
    "torchvision-efficientnet_b5, TORCHVISION, b5",
    "torchvision-efficientnet_v2_s, TORCHVISION, v2_s",
    "torchvision-resnet18, TORCHVISION, resnet18",
    "torchvision-resnet50, TORCHVISION, resnet50",
    "timm-tf_efficientnet_b0, TIMM, b0",
    "timm-tf_efficientnetv2_s, TIMM, v2_s",
    "timm-tf_efficientnet_lite0, TIMM, lite0",
    "lukemelas-efficientnet-b0, LUKEMELAS, b0",
    "tensorflow-efficientnet-b0, TENSORFLOW, b0",
    "tensorflow-efficientnetv2-s, TENSORFLOW, v2_s",
    "tensorflow-efficientnet-lite0, TENSORFLOW, lite0",
    "keras-efficientnetb0, KERAS, b0",
    "keras-efficientnetv2-s, KERAS, v2_s",
  })
  void keysOfLibrariesAreRecognised(String golden, Library library, String network)
      throws IOException {
    try (GoldenFile file = GoldenFile.of(golden)) {
      List<Match> matches = Detection.matches(file, Optional.empty(), Optional.empty());
      Match match = matches.get(0);
      assertEquals(library, match.library());
      assertEquals(network, match.network());
      assertEquals(10, match.classes());
      assertEquals(3, match.inputChannels());
      // Only ResNets are called the same by two libraries.
      assertEquals(network.startsWith("resnet") ? 2 : 1, matches.size());
    }
  }

  @ParameterizedTest
  @EnumSource(names = "FUSEWIRE", mode = EnumSource.Mode.EXCLUDE)
  void everyNetworkIsFoundByTheNamesOfEveryLibraryThatHasIt(Library library)
      throws FileFormatException {
    NamingScheme scheme = Detection.scheme(library);
    int networks = 0;
    for (String network : Networks.names()) {
      List<Parameter> parameters = Networks.plain(network).parameters().all();
      Optional<Map<String, SourceName>> names = scheme.names(parameters);
      if (names.isEmpty()) {
        continue;
      }
      networks++;
      assertEquals(parameters.size(), names.get().size());
      assertEquals(parameters.size(), new HashSet<>(names.get().values()).size(), network);
      GoldenFile file = GoldenFile.empty();
      for (Parameter parameter : parameters) {
        SourceName name = names.get().get(parameter.name());
        file.add(name.name(), shape(parameter, name.axes()), parameter.name());
      }
      List<Match> matches = Detection.matches(file, Optional.of(library), Optional.empty());
      assertEquals(1, matches.size(), network);
      assertEquals(network, matches.get(0).network());
      for (Parameter parameter : parameters) {
        String key = matches.get(0).found().get(parameter.name()).key();
        assertEquals(parameter.name(), file.torchKey(key));
      }
    }
    assertTrue(networks > 2, library.title() + ": " + networks);
  }

  /** A parameter's shape as a library has it: the inverse of what {@link Axes} does. */
  private static List<Long> shape(Parameter parameter, Axes axes) {
    Long[] shape = new Long[parameter.shape().size()];
    for (int i = 0; i < shape.length; i++) {
      int to = axes.order().size() == shape.length ? axes.order().get(i) : i;
      shape[to] = parameter.shape().get(i).longValue();
    }
    return List.of(shape);
  }

  /** Keras 3 numbers the layers of each kind, in the model's order, and their variables. */
  @Test
  void layersOfKeras3AreRecognised() throws IOException {
    Map<String, Integer> counts = new HashMap<>();
    Map<String, String> numbered = new HashMap<>();
    GoldenFile file = GoldenFile.of("keras-efficientnetb0");
    GoldenFile keras3 =
        file.renamed(
            name -> {
              String layer = name.substring(0, name.indexOf('/'));
              String kind =
                  layer.endsWith("bn")
                      ? "batch_normalization"
                      : layer.endsWith("dwconv")
                          ? "depthwise_conv2d"
                          : layer.equals("predictions")
                              ? "dense"
                              : layer.equals("normalization") ? layer : "conv2d";
              String own =
                  numbered.computeIfAbsent(
                      layer,
                      key -> {
                        int number = counts.merge(kind, 1, Integer::sum) - 1;
                        return number == 0 ? kind : kind + "_" + number;
                      });
              String variable = name.substring(name.lastIndexOf('/') + 1);
              int index =
                  switch (variable) {
                    case "bias:0", "beta:0", "variance:0" -> 1;
                    case "moving_mean:0", "count:0" -> 2;
                    case "moving_variance:0" -> 3;
                    default -> 0;
                  };
              return "layers/" + own + "/vars/" + index;
            });
    List<Match> matches = Detection.matches(keras3, Optional.empty(), Optional.empty());
    assertEquals(1, matches.size());
    assertEquals(Library.KERAS, matches.get(0).library());
    assertEquals("b0", matches.get(0).network());
    Match old = Detection.matches(file, Optional.empty(), Optional.empty()).get(0);
    old.found()
        .forEach(
            (name, found) ->
                assertEquals(
                    file.torchKey(found.key()),
                    keras3.torchKey(matches.get(0).found().get(name).key())));
  }

  @Test
  void axesAreReordered() {
    Axes hwio = Axes.tensorFlow(Parameter.Kind.CONVOLUTION);
    // (1, 2, 3, 2) in height, width, input, output.
    float[] values = new float[12];
    for (int i = 0; i < 12; i++) {
      values[i] = i;
    }
    assertEquals(List.of(2L, 3L, 1L, 2L), hwio.toPyTorch(List.of(1L, 2L, 3L, 2L)));
    float[] result = hwio.toPyTorch(values, List.of(1L, 2L, 3L, 2L));
    float[] expected = {0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11};
    for (int i = 0; i < 12; i++) {
      assertEquals(expected[i], result[i]);
    }
  }

  @Test
  void recipesAreOfNetworksThatThereAre() {
    for (Recipe recipe : Recipes.all()) {
      assertTrue(Networks.names().contains(recipe.network()), recipe.toString());
      assertEquals(recipe, Recipes.find(recipe.library(), recipe.model()).orElseThrow());
    }
  }

  @Test
  void recipesSayWhatTheLibrariesDo() {
    Preprocessing b4 = Recipes.find(Library.TORCHVISION, "efficientnet_b4").get().preprocessing();
    assertEquals(380, b4.window());
    assertEquals(384, b4.shorterSide());
    Recipe l2 = Recipes.find(Library.TIMM, "tf_efficientnet_l2.ns_jft_in1k_475").orElseThrow();
    assertEquals(475, l2.preprocessing().window());
    Recipe noisy = Recipes.find(Library.TIMM, "tf_efficientnet_b0.ns_jft_in1k").orElseThrow();
    assertEquals("tf_efficientnet_b0", noisy.model());
    Preprocessing lite =
        Recipes.find(Library.TENSORFLOW, "efficientnet-lite0").get().preprocessing();
    assertEquals(127 / 255f, lite.mean().get(0));
    Preprocessing squashed =
        Recipes.find(Library.TIMM, "tf_efficientnetv2_b3").get().preprocessing();
    assertEquals(266, squashed.height());
    assertEquals(240, squashed.window());
    assertTrue(squashed.wholeImage());
  }
}
