// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.fusewire.graph.Step;
import io.fusewire.graph.TrainingNetwork;
import io.fusewire.graph.TrainingState;
import io.fusewire.graph.Value;
import io.fusewire.model.EfficientNet;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.OptimizerSettings;
import io.fusewire.ops.Stream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ProblemFileTest {
  private static final List<String> MODELS = List.of("b0", "b4", "b7");

  /** What a convolution of the graph reads and writes, per image. */
  private record Convolution(List<Long> src, List<Long> dst) {
    static Convolution of(Problem p) {
      int height = (p.height() + p.stride() - 1) / p.stride();
      int width = (p.width() + p.stride() - 1) / p.stride();
      return new Convolution(
          List.of((long) p.height(), (long) p.width(), (long) p.inChannels()),
          List.of((long) height, (long) width, (long) p.outChannels()));
    }

    static List<Long> image(Value value) {
      return List.of(value.size(1), value.size(2), value.size(3));
    }
  }

  @Test
  void listsEveryDistinctLayerOfTheBlockTables() throws IOException {
    List<Problem> derived = new ArrayList<>();
    for (String model : MODELS) {
      derived.addAll(NetworkProblems.of(EfficientNet.byName(model).build()));
    }
    String text = ProblemFile.text();
    String comments =
        text.lines().filter(line -> line.startsWith("#")).collect(Collectors.joining("\n"));
    String fresh = comments + "\n" + ProblemFile.format(derived);
    if (!fresh.equals(text)) {
      Path file = Path.of("target", "problems.csv").toAbsolutePath();
      Files.writeString(file, fresh);
      fail("the file does not list what the networks have; what it should be is in " + file);
    }
    assertEquals(derived, ProblemFile.all());
  }

  /** The block table is one thing, what is made of it another. */
  @ParameterizedTest
  @ValueSource(strings = {"b0", "b4"})
  void everyConvolutionOfTheTrainingGraphIsListed(String model) throws IOException {
    List<Convolution> listed = new ArrayList<>();
    int layers = 0;
    for (Problem problem : ProblemFile.matching(List.of(model))) {
      if (problem.kernel() > 1
          || List.of(Layer.EXPAND, Layer.PROJECT, Layer.HEAD).contains(problem.layer())) {
        listed.add(Convolution.of(problem));
        layers += problem.layers();
      }
    }
    EfficientNet net = EfficientNet.byName(model).build();
    int convolutions = 0;
    try (Stream stream = Stream.open(Device.cpu());
        TrainingState state =
            new TrainingState(stream, net.parameters(), OptimizerSettings.Kind.SGD, false, 1);
        TrainingNetwork graph = TrainingNetwork.open(stream, net, 2, DType.BF16, null, 0, state)) {
      for (Step step : graph.program().steps().subList(0, graph.forwardSteps())) {
        if (step.name().matches("(.*\\.)?conv_(stem|pw|dw|pwl|head)")) {
          Convolution built =
              new Convolution(
                  Convolution.image(step.reads().get(0)), Convolution.image(step.writes().get(0)));
          assertTrue(listed.contains(built), step.name() + " is not listed: " + built);
          convolutions++;
        }
      }
    }
    assertEquals(convolutions, layers, "layers that the last column counts");
  }

  @Test
  void patternsMeanModelsStagesAndLayers() throws IOException {
    List<Problem> b4 = ProblemFile.matching(List.of("B4"));
    assertTrue(b4.stream().allMatch(p -> p.model().equals("b4")));
    assertEquals(List.of("b4:stage3/dw"), names("b4:stage3/dw"));
    assertEquals(List.of("b4:stage3.0/dw", "b4:stage3/dw"), names("b4:stage3*/dw"));
    assertTrue(names("b4:stage3").containsAll(names("b4:stage3*/dw")));
    assertFalse(names("b0:stage1").contains("b0:head"));
    assertEquals(12, names("b0:*/dw").size());
    assertEquals(List.of("b0:stem", "b4:stem"), names("b4:stem", "b0:stem"));
  }

  private static List<String> names(String... patterns) throws IOException {
    return ProblemFile.matching(List.of(patterns)).stream().map(Problem::name).toList();
  }

  @Test
  void aPatternThatMeansNothingIsToldWhatThereIs() {
    assertTrue(refused("b5").contains("'b5'; there are b0, b4, b7"), refused("b5"));
    assertTrue(refused("b0:stage9").contains("b0:stage6/dw"), refused("b0:stage9"));
    assertTrue(refused("\\E(").contains("there are b0"), refused("\\E("));
  }

  private static String refused(String pattern) {
    return assertThrows(
            IllegalArgumentException.class, () -> ProblemFile.matching(List.of(pattern)))
        .getMessage();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "b0:stage0/dw,dw,112,112,32,32,3,1",
        "b0:stage0/dw,dw,112,112,32,32,3,one,1",
        "b0:stage0/dw,dw,112,112,32,32,3,0,1",
        "b0:stage0/dw,dw,112,112,32,16,3,1,1",
        "b0:stage0/dw,se,112,112,32,8,1,1,1",
        "b0:stage0/pool2,pool2,7,7,32,32,1,1,1",
        "b0:pool,pool,7,7,32,32,1,1,1\nb0:pool,pool,7,7,32,32,1,1,1"
      })
  void aLineThatDoesNotFitIsNamed(String lines) {
    String text = "# head\n" + ProblemFile.HEADER + "\n" + lines + "\n";
    var error = assertThrows(IllegalArgumentException.class, () -> ProblemFile.parse(text));
    String last = lines.substring(lines.lastIndexOf('\n') + 1);
    assertTrue(error.getMessage().contains("'" + last + "'"), error.getMessage());
    assertThrows(IllegalArgumentException.class, () -> ProblemFile.parse(lines));
  }
}
