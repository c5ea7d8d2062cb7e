// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.model.Architecture;
import io.fusewire.model.Block;
import io.fusewire.model.ConvNorm;
import io.fusewire.model.EfficientNet;
import io.fusewire.model.Padding;
import io.fusewire.model.Parameter;
import io.fusewire.model.ResNet;
import io.fusewire.model.Scaling;
import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.OptimizerSettings;
import io.fusewire.ops.Stream;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every family against libtorch in double, with the same random weights. */
@Tag("oracle")
class FamilyParityTest {
  private static final double LOGITS = 1e-5;
  private static final double GRADIENTS = 1e-4;
  private static final double STATISTICS = 1e-5;

  /** As {@link WholeNetworkTest} has it for gradients that are nothing but rounding. */
  private static final double VANISHING = 1e-3;

  /** Float values that went through these networks are nearer to the right ones than this. */
  private static final double KINK = 1.5e-6;

  private static final int RESOLUTION = 64;

  /** Fewer values in training, of which fewer are at a kink. */
  private static final int TRAINED_RESOLUTION = 48;

  private static final int CLASSES = 12;
  private static final double RATE = 1e-3;

  private static final TorchOracle.Masks NO_MASKS =
      new TorchOracle.Masks() {
        @Override
        public double[] branch(int block) {
          return null;
        }

        @Override
        public double[] features(int sample) {
          return null;
        }
      };

  static List<Device> devices() {
    return WholeNetworkTest.devices();
  }

  private static Architecture net(String name) {
    return Architecture.byName(name)
        .resolution(RESOLUTION)
        .classes(CLASSES)
        .dropout(0)
        .dropConnect(0)
        .build();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "b0",
        "lite0",
        "v2_b0",
        "v2_b1",
        "v2_s",
        "resnet18",
        "resnet50",
        "xresnet18",
        "xresnet50"
      })
  void wholeModelsPredictAsLibtorch(String name) {
    for (Device device : devices()) {
      predict(device, net(name));
    }
  }

  /** The choices of timm's and torchvision's ports of EfficientNet. */
  @ParameterizedTest
  @ValueSource(strings = {"b0", "lite0", "v2_s"})
  void portsWithSymmetricPaddingPredictAsLibtorch(String name) {
    for (Device device : devices()) {
      predict(device, symmetric(name));
    }
  }

  private static Architecture symmetric(String name) {
    return net(name).toBuilder().padding(Padding.SYMMETRIC).batchNorm(1e-5, 0.1).build();
  }

  /**
   * Random weights with running statistics as images leave them: with made-up ones activations
   * would grow from block to block until the last bits decide.
   */
  private static float[] settled(Architecture net) {
    int batch = 8;
    float[] images = WholeNetworkTest.images(net, batch);
    float[] values = WholeNetworkTest.values(net);
    calm(net, values);
    Architecture forgetful = net.toBuilder().batchNorm(net.batchNormEpsilon(), 1).build();
    TorchOracle oracle = new TorchOracle(forgetful, values);
    oracle.pass(WholeNetworkTest.wide(images), batch);
    for (Parameter parameter : net.parameters().all()) {
      if (!parameter.kind().trained()) {
        double[] settled = oracle.value(parameter.name());
        for (int i = 0; i < settled.length; i++) {
          // Few pixels are left at the end, whose variance can be anything.
          boolean variance = parameter.kind() == Parameter.Kind.RUNNING_VARIANCE;
          values[Math.toIntExact(parameter.offset()) + i] =
              (float) (variance ? Math.max(settled[i], 0.3) : settled[i]);
        }
      }
    }
    return values;
  }

  /**
   * Makes residual branches as weak against what they are added to as training leaves them. With
   * branches as strong, the weights of an XResNet-50 are so ill conditioned that libtorch's own
   * logits in float are off by 6e-5 of those in double.
   */
  private static void calm(Architecture net, float[] values) {
    for (Block block : net.blocks()) {
      if (block.residual()) {
        List<ConvNorm> layers = block.convolutions();
        Parameter gamma = net.parameters().get(layers.get(layers.size() - 1).norm() + ".weight");
        int from = Math.toIntExact(gamma.offset());
        for (int i = from; i < from + gamma.count(); i++) {
          values[i] *= 0.3f;
        }
      }
    }
  }

  private static void predict(Device device, Architecture net) {
    float[] values = settled(net);
    float[] images = WholeNetworkTest.images(net, 2);
    double[] expected = new TorchOracle(net, values).predict(WholeNetworkTest.wide(images), 2);
    for (ExpansionPolicy policy : List.of(ExpansionPolicy.STORED, ExpansionPolicy.ON_CHIP)) {
      try (Stream stream = Stream.open(device);
          InferenceNetwork ours =
              InferenceNetwork.open(stream, net, 2, DType.F32, null, null, policy)) {
        ours.load(values);
        ours.images().copyFrom(stream, images);
        ours.run();
        float[] logits = ours.logits().toFloats(stream);
        double error = WholeNetworkTest.relativeError(logits, expected, 0);
        assertTrue(error < LOGITS, () -> net + ": relative error " + error);
      }
    }
  }

  /** The families with fewer and narrower blocks, all kinds of them, to keep it to seconds. */
  static List<Architecture> small() {
    List<Architecture> nets = new ArrayList<>();
    for (String name : List.of("b0", "lite0", "v2_b1")) {
      var scaling = new Scaling(0.5, name.equals("v2_b1") ? 1.1 : 0.5);
      nets.add(EfficientNet.byName(name).scaling(scaling).build());
      nets.add(
          EfficientNet.byName(name)
              .scaling(scaling)
              .padding(Padding.SYMMETRIC)
              .batchNorm(1e-5, 0.1)
              .build());
    }
    for (String name : List.of("resnet18", "resnet50", "xresnet18", "xresnet50")) {
      nets.add(ResNet.byName(name).width(16).repeats(List.of(2, 2, 1)).build());
    }
    return nets.stream()
        .<Architecture>map(
            net ->
                net.toBuilder()
                    .resolution(TRAINED_RESOLUTION)
                    .classes(CLASSES)
                    .dropout(0)
                    .dropConnect(0)
                    .build())
        .toList();
  }

  @ParameterizedTest
  @MethodSource("small")
  void threeStepsAreThoseOfLibtorch(Architecture net) {
    for (Device device : devices()) {
      train(device, net);
    }
  }

  /** Images that keep all values of a step away from where gradients jump. */
  private static float[] images(Architecture net, int batch, TorchOracle oracle, Random random) {
    for (int attempt = 0; attempt < 100; attempt++) {
      float[] images = WholeNetworkTest.images(net, batch);
      for (int i = 0; i < images.length; i++) {
        images[i] += 0.5f * (float) random.nextGaussian();
      }
      if (!kinked(net)) {
        return images;
      }
      TorchOracle trial = oracle.copy();
      trial.pass(WholeNetworkTest.wide(images), batch);
      if (trial.nearestKink() > KINK) {
        return images;
      }
    }
    throw new AssertionError("all images leave a value of " + net + " at a kink");
  }

  /** Whether a gradient jumps anywhere: SiLU's does not. */
  private static boolean kinked(Architecture net) {
    return net.stemPool()
        || net.stem().stream().anyMatch(layer -> kinked(layer.activation()))
        || net.blocks().stream().anyMatch(block -> kinked(block.sumActivation()));
  }

  private static boolean kinked(Activation activation) {
    return activation == Activation.RELU || activation == Activation.RELU6;
  }

  private static void train(Device device, Architecture net) {
    int batch = 8;
    float[] values = WholeNetworkTest.values(net);
    int[] labels = new int[batch];
    for (int i = 0; i < batch; i++) {
      labels[i] = i * 7 % net.classes();
    }
    TorchOracle oracle = new TorchOracle(net, values);
    Random random = new Random(11);
    try (Stream stream = Stream.open(device);
        TrainingState state =
            new TrainingState(stream, net.parameters(), OptimizerSettings.Kind.SGD, false, 1);
        TrainingNetwork ours =
            TrainingNetwork.open(stream, net, batch, DType.F32, null, 0.1, state)) {
      state.values().load(stream, values);
      state.step().random(stream, 1, 1);
      ours.arena().fill(stream, 0xFF);
      for (int step = 0; step < 3; step++) {
        float[] images = images(net, batch, oracle, random);
        state.gradients().all().fill(stream, 0xFF);
        ours.images().copyFrom(stream, images);
        ours.labels().copyFrom(stream, labels);
        ours.run();
        double loss = oracle.train(WholeNetworkTest.wide(images), labels, 0.1, NO_MASKS);
        double ourLoss = 0;
        for (float one : ours.losses().toFloats(stream)) {
          ourLoss += one / (double) batch;
        }
        assertEquals(loss, ourLoss, LOGITS * loss);
        if (step == 0) {
          compareGradients(net, stream, state, oracle);
        }
        oracle.descend(RATE);
        float[] moved = state.values().save(stream);
        float[] gradients = state.gradients().save(stream);
        for (Parameter parameter : net.parameters().all()) {
          int from = Math.toIntExact(parameter.offset());
          for (int i = from; i < from + parameter.count() && parameter.kind().trained(); i++) {
            moved[i] -= (float) (RATE * gradients[i]);
          }
        }
        state.values().load(stream, moved);
      }
      List<String> wrong = new ArrayList<>();
      for (Parameter parameter : net.parameters().all()) {
        if (!parameter.kind().trained()) {
          double error =
              WholeNetworkTest.relativeError(
                  parameter.toFileLayout(state.values().of(parameter).toFloats(stream)),
                  oracle.value(parameter.name()),
                  0);
          if (!(error < STATISTICS)) {
            wrong.add("%s: relative error %.2e".formatted(parameter.name(), error));
          }
        }
      }
      assertTrue(wrong.isEmpty(), () -> net + ": " + wrong.size() + " wrong: " + wrong);
    }
  }

  private static void compareGradients(
      Architecture net, Stream stream, TrainingState state, TorchOracle oracle) {
    double all = 0;
    for (Parameter parameter : net.parameters().all()) {
      if (parameter.kind().trained()) {
        all = Math.hypot(all, WholeNetworkTest.norm(oracle.gradient(parameter.name())));
      }
    }
    List<String> wrong = new ArrayList<>();
    for (Parameter parameter : net.parameters().all()) {
      if (parameter.kind().trained()) {
        double error =
            WholeNetworkTest.relativeError(
                parameter.toFileLayout(state.gradients().of(parameter).toFloats(stream)),
                oracle.gradient(parameter.name()),
                VANISHING * all);
        if (!(error < GRADIENTS)) {
          wrong.add("%s: relative error %.2e".formatted(parameter.name(), error));
        }
      }
    }
    assertTrue(wrong.isEmpty(), () -> net + ": " + wrong.size() + " wrong: " + wrong);
  }

  /** Dropout samples and drop-connect in blocks whose sum has an activation, and with pooling. */
  @ParameterizedTest
  @MethodSource("devices")
  void randomChoicesOfResNetsAreTheSameForwardAndBackward(Device device) {
    for (ResNet.Style style : ResNet.Style.values()) {
      WholeNetworkTest.compareTraining(
          device,
          ResNet.builder("thin")
              .style(style)
              .bottleneck(true)
              .width(16)
              .repeats(List.of(3, 2))
              .resolution(33)
              .classes(5)
              .dropout(0.3)
              .samples(3)
              .dropConnect(0.4)
              .build(),
          10,
          5e-4);
    }
  }

  /** Fused blocks with and without expansion, both with drop-connect. */
  @ParameterizedTest
  @MethodSource("devices")
  void randomChoicesOfV2AreTheSameForwardAndBackward(Device device) {
    WholeNetworkTest.compareTraining(
        device,
        EfficientNet.byName("v2_b1")
            .resolution(48)
            .classes(5)
            .dropout(0.3)
            .samples(2)
            .dropConnect(0.4)
            .build(),
        10,
        5e-4);
  }
}
