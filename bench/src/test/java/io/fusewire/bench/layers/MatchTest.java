// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.bench.peer.LibtorchThreads;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import java.io.IOException;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The layers of the problem file against libtorch, with few and small images. */
@Tag("oracle")
final class MatchTest {
  /** Odd, so that stride 2 leaves a pixel over. */
  private static final int SIDE = 11;

  private static final int BATCH = 2;

  /** f32 on both sides; gradients of weights are sums over a few hundred pixels. */
  private static final double TOLERANCE = 3e-5;

  private static Conditions libtorch(Stream stream, long spread) {
    return new Conditions(stream, DType.F32, true, spread);
  }

  /** Of larger networks, every so manieth layer. */
  @ParameterizedTest
  @CsvSource({"b0, 1", "b4, 3", "b7, 6"})
  void everyOperationOfEveryLayerDoesWhatLibtorchDoes(String model, int step) throws IOException {
    // On a busy machine libtorch's threads wait for each other longer than they work.
    LibtorchThreads.set(1);
    List<Problem> problems = ProblemFile.matching(List.of(model));
    try (Stream stream = Stream.open(Device.cpu()).threads(1)) {
      for (int i = 0; i < problems.size(); i += step) {
        Problem problem = problems.get(i).cropped(SIDE);
        for (Operation operation : Operation.values()) {
          try (Match match = Match.open(libtorch(stream, 0), problem, BATCH, operation)) {
            if (match != null) {
              Difference difference = match.compare();
              String what = problem + " " + operation.label() + ": " + difference;
              assertTrue(difference.relative() < TOLERANCE, what);
              assertTrue(difference.largest() < 10 * TOLERANCE, what);
            }
          }
        }
      }
    }
  }

  @Test
  void layersHaveTheOperationsThatTheyNeed() throws IOException {
    Map<Layer, Set<Operation>> expected = new EnumMap<>(Layer.class);
    Set<Operation> convolution = EnumSet.allOf(Operation.class);
    convolution.remove(Operation.BACKWARD);
    convolution.remove(Operation.INFERENCE_EXPANDED);
    for (Layer layer : List.of(Layer.EXPAND, Layer.DEPTHWISE, Layer.PROJECT, Layer.HEAD)) {
      expected.put(layer, convolution);
    }
    Set<Operation> stem = EnumSet.copyOf(convolution);
    stem.remove(Operation.BACKWARD_DATA);
    expected.put(Layer.STEM, stem);
    expected.put(
        Layer.SQUEEZE_EXCITE,
        EnumSet.of(
            Operation.FORWARD,
            Operation.BACKWARD,
            Operation.FUSED_FORWARD,
            Operation.FUSED_BACKWARD,
            Operation.INFERENCE));
    expected.put(Layer.POOL, EnumSet.of(Operation.FORWARD, Operation.BACKWARD));
    expected.put(Layer.CLASSIFIER, EnumSet.of(Operation.INFERENCE));
    Map<Layer, Set<Operation>> found = new EnumMap<>(Layer.class);
    try (Stream stream = Stream.open(Device.cpu()).threads(1)) {
      for (Layer layer : Layer.values()) {
        Problem problem = ProblemFile.of("b0", layer).get(0);
        for (Operation operation : Operation.values()) {
          try (Match match =
              Match.open(libtorch(stream, 0), problem.cropped(2), BATCH, operation)) {
            if (match != null) {
              found.computeIfAbsent(layer, l -> EnumSet.noneOf(Operation.class)).add(operation);
            }
          }
        }
      }
    }
    assertEquals(expected, found);
  }

  /** The first stage does not expand. */
  @Test
  void expandsOnChipWhereTheBlockExpands() throws IOException {
    try (Stream stream = Stream.open(Device.cpu()).threads(1)) {
      int expanded = 0;
      for (Problem problem : ProblemFile.of("b4", Layer.DEPTHWISE)) {
        try (Match match =
            Match.open(libtorch(stream, 0), problem.cropped(2), 1, Operation.INFERENCE_EXPANDED)) {
          assertEquals(problem.name().contains("stage0"), match == null, problem.name());
          expanded += match == null ? 0 : 1;
        }
      }
      assertTrue(expanded > 5, "" + expanded);
    }
  }

  /** In fewer bits both sides round, and libtorch after every step. */
  @ParameterizedTest
  @CsvSource({"BF16, 2e-2", "F16, 3e-3"})
  void otherTypesDoWhatLibtorchDoes(DType dtype, double tolerance) throws IOException {
    LibtorchThreads.set(1);
    try (Stream stream = Stream.open(Device.cpu()).threads(1)) {
      Conditions conditions = new Conditions(stream, dtype, true, 0);
      for (Problem problem : ProblemFile.matching(List.of("b0:stage2", "b0:stem", "b0:pool"))) {
        for (Operation operation : Operation.values()) {
          try (Match match = Match.open(conditions, problem.cropped(SIDE), BATCH, operation)) {
            if (match != null) {
              Difference difference = match.compare();
              String what = problem + " " + operation.label() + ": " + difference;
              assertTrue(difference.relative() < tolerance, what);
            }
          }
        }
      }
    }
  }

  @Test
  void countsWhatMustMoveAndWhatIsComputed() throws IOException {
    Problem problem = ProblemFile.matching(List.of("b0:stage2.0/dw")).get(0);
    try (Stream stream = Stream.open(Device.cpu()).threads(1)) {
      assertNull(Match.open(libtorch(stream, 0), problem, 1, Operation.BACKWARD));
      try (Match match = Match.open(libtorch(stream, 0), problem, 2, Operation.FORWARD)) {
        assertEquals(1, match.places());
        assertEquals(4L * 144 * (2 * 56 * 56 + 25 + 2 * 28 * 28), match.leastBytes());
        assertEquals(2.0 * 2 * 28 * 28 * 144 * 25, match.operations());
      }
      try (Match match =
          Match.open(libtorch(stream, 1 << 20), problem.cropped(4), 1, Operation.FORWARD)) {
        assertNotNull(match);
        assertEquals(1 + (1 << 20) / match.leastBytes(), match.places());
        match.ours(2 * match.places() + 1);
        match.theirs(2 * match.places() + 1);
        assertTrue(match.compare().relative() < TOLERANCE);
      }
    }
  }
}
