// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.model.Architecture;
import io.fusewire.model.EfficientNet;
import io.fusewire.model.Padding;
import io.fusewire.model.Parameter;
import io.fusewire.model.Scaling;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.OptimizerSettings;
import io.fusewire.ops.Philox;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whole networks against libtorch in double: outputs, statistics and every gradient. */
class WholeNetworkTest {
  private static final double TOLERANCE = 1e-4;

  /** Where few channels and dead ReLUs leave gradients that are small differences of large sums. */
  private static final double NARROW_TOLERANCE = 5e-4;

  /**
   * What the two ways of an expansion may differ by: rounding alone, so far less than TOLERANCE.
   */
  private static final double BETWEEN_EXPANSIONS = 1e-5;

  private static final double VANISHING = 1e-3;
  private static final long SEED = 42;

  static List<Device> devices() {
    // The emulated GPU would take hours for a whole network; it has its operations' tests.
    return Device.all().stream().filter(d -> d.kind() != Device.Kind.CHECKED).toList();
  }

  /** Initial values with everything that starts as 0 or 1 moved away from there. */
  static float[] values(Architecture net) {
    float[] values = net.parameters().initialValues(5);
    Random random = new Random(6);
    for (Parameter parameter : net.parameters().all()) {
      int from = (int) parameter.offset();
      for (int i = from; i < from + parameter.count(); i++) {
        switch (parameter.kind()) {
          case NORM_WEIGHT, RUNNING_VARIANCE -> values[i] = 0.6f + 0.8f * random.nextFloat();
          case NORM_BIAS, RUNNING_MEAN, BIAS, CLASSIFIER_BIAS ->
              values[i] = 0.2f * (float) random.nextGaussian();
          default -> {}
        }
      }
    }
    return values;
  }

  static float[] images(Architecture net, int batch) {
    Random random = new Random(7);
    float[] images = new float[batch * net.resolution() * net.resolution() * net.inputChannels()];
    for (int i = 0; i < images.length; i++) {
      images[i] = (float) random.nextGaussian();
    }
    return images;
  }

  static double[] wide(float[] narrow) {
    double[] wide = new double[narrow.length];
    for (int i = 0; i < wide.length; i++) {
      wide[i] = narrow[i];
    }
    return wide;
  }

  static double norm(double[] values) {
    double squares = 0;
    for (double value : values) {
      squares += value * value;
    }
    return Math.sqrt(squares);
  }

  /**
   * Norm of the difference over the norm of what is expected, or over a floor if that is smaller.
   */
  static double relativeError(float[] actual, double[] expected, double floor) {
    assertEquals(expected.length, actual.length);
    double[] difference = new double[actual.length];
    for (int i = 0; i < actual.length; i++) {
      difference[i] = actual[i] - expected[i];
    }
    return norm(difference) / Math.max(norm(expected), floor);
  }

  /** The random choices of ours, made again from the generator's numbers. */
  static TorchOracle.Masks masks(Architecture net, Stream stream, int batch, int step) {
    return new TorchOracle.Masks() {
      private double[] uniform(int sample, int layer, int count, double rate) {
        try (Tensor numbers = Tensor.allocate(stream.device(), DType.F32, count)) {
          Philox.uniform(stream, SEED, sample, step, layer, numbers);
          float[] drawn = numbers.toFloats(stream);
          double[] mask = new double[count];
          for (int i = 0; i < count; i++) {
            mask[i] = drawn[i] >= (float) rate ? 1 / (1 - rate) : 0;
          }
          return mask;
        }
      }

      @Override
      public double[] branch(int block) {
        double rate = net.blocks().get(block).dropConnect();
        return rate == 0 ? null : uniform(0, 2 + block, batch, rate);
      }

      @Override
      public double[] features(int sample) {
        return net.dropout() == 0
            ? null
            : uniform(sample, 1, batch * net.features(), net.dropout());
      }
    };
  }

  static void compareTraining(Device device, Architecture net, int batch, double tolerance) {
    float[] values = values(net);
    float[] images = images(net, batch);
    int[] labels = new int[batch];
    for (int i = 0; i < batch; i++) {
      labels[i] = i == 1 ? -1 : i * 7 % net.classes();
    }
    try (Stream stream = Stream.open(device);
        TrainingState state =
            new TrainingState(stream, net.parameters(), OptimizerSettings.Kind.SGD, false, 1);
        TrainingNetwork ours =
            TrainingNetwork.open(stream, net, batch, DType.F32, null, 0.1, state)) {
      state.values().load(stream, values);
      state.step().random(stream, SEED, 3);
      // Memory that was never written must not matter.
      ours.arena().fill(stream, 0xFF);
      state.gradients().all().fill(stream, 0xFF);
      ours.images().copyFrom(stream, images);
      ours.labels().copyFrom(stream, labels);
      ours.run();

      TorchOracle oracle = new TorchOracle(net, values);
      double loss = oracle.train(wide(images), labels, 0.1, masks(net, stream, batch, 3));
      float[] losses = ours.losses().toFloats(stream);
      double ourLoss = 0;
      for (int i = 0; i < batch; i++) {
        ourLoss += labels[i] < 0 ? 0 : losses[i] / (batch - 1.0);
      }
      assertEquals(loss, ourLoss, TOLERANCE * loss);
      // The gradient of a projection's BatchNorm bias is nothing but rounding, since the next
      // BatchNorm takes out whatever
      // it adds; such ones are compared with the size of all gradients.
      double all = 0;
      for (Parameter parameter : net.parameters().all()) {
        if (parameter.kind().trained()) {
          all = Math.hypot(all, norm(oracle.gradient(parameter.name())));
        }
      }
      List<String> wrong = new ArrayList<>();
      for (Parameter parameter : net.parameters().all()) {
        boolean trained = parameter.kind().trained();
        Tensor tensor = (trained ? state.gradients() : state.values()).of(parameter);
        double error =
            relativeError(
                parameter.toFileLayout(tensor.toFloats(stream)),
                trained ? oracle.gradient(parameter.name()) : oracle.value(parameter.name()),
                trained ? VANISHING * all : 0);
        if (!(error < tolerance)) {
          wrong.add("%s: relative error %.2e".formatted(parameter.name(), error));
        }
      }
      assertTrue(wrong.isEmpty(), () -> wrong.size() + " wrong: " + wrong);
    }
  }

  @ParameterizedTest
  @Tag("oracle")
  @MethodSource("devices")
  void gradientsOfB0AreThoseOfLibtorch(Device device) {
    compareTraining(
        device,
        EfficientNet.b0().resolution(64).classes(12).dropout(0).dropConnect(0).build(),
        4,
        TOLERANCE);
  }

  @ParameterizedTest
  @Tag("oracle")
  @MethodSource("devices")
  void randomChoicesAreTheSameForwardAndBackward(Device device) {
    compareTraining(
        device,
        EfficientNet.builder("half")
            .scaling(new Scaling(0.5, 1.1))
            .resolution(48)
            .classes(5)
            .inputChannels(1)
            .dropout(0.4)
            .samples(3)
            .dropConnect(0.6)
            .squeezeRelu(true)
            .padding(Padding.SYMMETRIC)
            .batchNorm(1e-5, 0.1)
            .build(),
        10,
        NARROW_TOLERANCE);
  }

  /** Stages of three blocks and more, of whose sums every second one is made again. */
  @ParameterizedTest
  @Tag("oracle")
  @MethodSource("devices")
  void gradientsOfDeepStagesAreThoseOfLibtorch(Device device) {
    compareTraining(
        device,
        EfficientNet.builder("deep")
            .scaling(new Scaling(0.5, 2.1))
            .resolution(48)
            .classes(5)
            .dropConnect(0.3)
            .build(),
        10,
        NARROW_TOLERANCE);
  }

  @ParameterizedTest
  @Tag("oracle")
  @MethodSource("devices")
  void averagedLogitsAreThoseOfLibtorch(Device device) {
    compareTraining(
        device,
        EfficientNet.builder("quarter")
            .scaling(new Scaling(0.25, 0.4))
            .resolution(33)
            .classes(5)
            .dropout(0.3)
            .samples(4)
            .averageLogits(true)
            .dropConnect(0)
            .build(),
        5,
        NARROW_TOLERANCE);
  }

  @ParameterizedTest
  @Tag("oracle")
  @MethodSource("devices")
  void foldedInferenceIsThatOfLibtorch(Device device) {
    // All expansions stored, all on chip, and every other one.
    ExpansionPolicy alternating =
        (stream, expansions) ->
            IntStream.range(0, expansions.size())
                .filter(i -> i % 2 == 0)
                .mapToObj(expansions::get)
                .collect(Collectors.toSet());
    float[] stored = checkInference(device, ExpansionPolicy.STORED);
    float[] onChip = checkInference(device, ExpansionPolicy.ON_CHIP);
    checkInference(device, alternating);
    checkInference(device, ExpansionPolicy.measured());
    double[] expected = wide(stored);
    assertTrue(relativeError(onChip, expected, 0) < BETWEEN_EXPANSIONS);
  }

  private static float[] checkInference(Device device, ExpansionPolicy expansions) {
    float[] last = null;
    for (Padding padding : Padding.values()) {
      EfficientNet net =
          EfficientNet.b0().resolution(64).classes(12).padding(padding).dropout(0.2).build();
      float[] values = values(net);
      float[] images = images(net, 3);
      double[] expected = new TorchOracle(net, values).predict(wide(images), 3);
      try (Stream stream = Stream.open(device);
          InferenceNetwork ours =
              InferenceNetwork.open(stream, net, 3, DType.F32, null, null, expansions)) {
        ours.load(values);
        ours.images().copyFrom(stream, images);
        ours.run();
        float[] logits = ours.logits().toFloats(stream);
        assertTrue(relativeError(logits, expected, 0) < TOLERANCE, padding.toString());
        float[] probabilities = ours.probabilities().toFloats(stream);
        double sum = 0;
        for (float probability : probabilities) {
          sum += probability;
        }
        assertEquals(3, sum, 1e-5);
        ours.labels().copyFrom(stream, new int[] {4, -1, 11});
        ours.score();
        assertEquals(-Math.log(probabilities[4]), ours.losses().toFloats(stream)[0], 1e-4);
        // The same again, bit for bit, also with weights loaded anew.
        ours.load(values);
        ours.images().copyFrom(stream, images);
        ours.run();
        assertArrayEquals(logits, ours.logits().toFloats(stream));
        last = logits;
      }
    }
    return last;
  }

  @ParameterizedTest
  @MethodSource("devices")
  void plannedMemoryIsWhatIsAllocated(Device device) {
    EfficientNet net = EfficientNet.b0().resolution(32).classes(10).build();
    try (Stream stream = Stream.open(device)) {
      long before = device.liveBytes();
      var kind = OptimizerSettings.Kind.RMSPROP;
      var estimate = TrainingNetwork.estimate(stream, net, 8, DType.F32, null, kind, true);
      assertEquals(before, device.liveBytes(), "an estimate allocates nothing");
      try (TrainingState state = new TrainingState(stream, net.parameters(), kind, true, 1);
          TrainingNetwork ours = TrainingNetwork.open(stream, net, 8, DType.F32, null, 0, state)) {
        assertEquals(
            0,
            (device.liveBytes() - before - estimate.totalBytes()) / 4096,
            "but for the small states");
        var plan = ours.program().plan();
        assertEquals(estimate.arenaBytes(), plan.arenaBytes());
        assertTrue(
            plan.arenaBytes() <= plan.lowerBound() * 1.1,
            () -> plan.arenaBytes() + " of at least " + plan.lowerBound());
      }
      assertEquals(before, device.liveBytes());
    }
  }
}
