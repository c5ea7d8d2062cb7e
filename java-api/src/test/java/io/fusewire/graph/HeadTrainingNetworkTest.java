// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.model.EfficientNet;
import io.fusewire.model.Parameter;
import io.fusewire.model.Parameters;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.OptimizerSettings;
import io.fusewire.ops.Stream;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A classifier trained on frozen features, against the inference network and differences. */
final class HeadTrainingNetworkTest {
  private static final int BATCH = 4;
  private static final EfficientNet NET =
      EfficientNet.b0().resolution(32).classes(5).dropout(0).build();
  private static final int[] LABELS = {3, 0, 4, 1};

  static List<Device> devices() {
    return Device.all().stream().filter(d -> d.kind() != Device.Kind.CHECKED).toList();
  }

  private static float[] part(float[] values, Parameter from, Parameter to, float[] target) {
    System.arraycopy(values, (int) from.offset(), target, (int) to.offset(), (int) from.count());
    return target;
  }

  private static float[] classifier(float[] values) {
    Parameters trained = HeadTrainingNetwork.trained(NET);
    float[] part = new float[(int) trained.elements()];
    for (Parameter parameter : trained.all()) {
      part(values, NET.parameters().get(parameter.name()), parameter, part);
    }
    return part;
  }

  private static float[] images() {
    Random random = new Random(7);
    float[] images = new float[BATCH * 32 * 32 * 3];
    for (int i = 0; i < images.length; i++) {
      images[i] = (float) random.nextGaussian();
    }
    return images;
  }

  @ParameterizedTest
  @MethodSource("devices")
  void lossIsThatOfInferenceAndGradientsAreItsSlopes(Device device) {
    float[] values = WholeNetworkTest.values(NET);
    Parameters trained = HeadTrainingNetwork.trained(NET);
    assertEquals(2, trained.all().size());
    assertEquals(5 * 1280 + 5, trained.trainedCount());
    try (Stream stream = Stream.open(device);
        TrainingState state =
            new TrainingState(stream, trained, OptimizerSettings.Kind.SGD, false, 1);
        HeadTrainingNetwork ours =
            HeadTrainingNetwork.open(stream, NET, BATCH, DType.F32, null, 0, state);
        InferenceNetwork inference =
            InferenceNetwork.open(
                stream, NET, BATCH, DType.F32, null, null, ExpansionPolicy.STORED)) {
      inference.load(values);
      inference.images().copyFrom(stream, images());
      inference.labels().copyFrom(stream, LABELS);
      inference.run();
      inference.score();
      float[] expected = inference.losses().toFloats(stream);

      state.values().load(stream, classifier(values));
      // The features' network is not to look at the classifier it is given.
      float[] features = values.clone();
      for (Parameter parameter : trained.all()) {
        int from = (int) NET.parameters().get(parameter.name()).offset();
        Arrays.fill(features, from, from + (int) parameter.count(), Float.NaN);
      }
      ours.load(features);
      state.step().set(stream, 1, 0, 0, 0, 0, 1, 1);
      float[] losses = losses(stream, ours);
      for (int i = 0; i < BATCH; i++) {
        assertEquals(expected[i], losses[i], 1e-5 * Math.max(1, expected[i]), "image " + i);
      }
      assertArrayEquals(
          inference.correct().toInts(stream), ours.correct().toInts(stream), "right answers");

      float[] gradients = state.gradients().save(stream);
      float[] weights = classifier(values);
      Random random = new Random(1);
      int checked = 0;
      for (Parameter parameter : trained.all()) {
        for (int i = 0; i < 5; i++) {
          int at = (int) parameter.offset() + random.nextInt((int) parameter.count());
          double step = 0.25;
          double slope =
              (mean(stream, state, ours, weights, at, step)
                      - mean(stream, state, ours, weights, at, -step))
                  / (2 * step);
          assertEquals(slope, gradients[at], 2e-3 + 2e-2 * Math.abs(slope), parameter.name());
          checked += Math.abs(gradients[at]) > 1e-3 ? 1 : 0;
        }
      }
      assertTrue(checked >= 5, "most gradients say something");
    }
  }

  private static float[] losses(Stream stream, HeadTrainingNetwork network) {
    network.images().copyFrom(stream, images());
    network.labels().copyFrom(stream, LABELS);
    network.run();
    return network.losses().toFloats(stream);
  }

  private static double mean(
      Stream stream,
      TrainingState state,
      HeadTrainingNetwork network,
      float[] weights,
      int at,
      double step) {
    float[] moved = weights.clone();
    moved[at] += (float) step;
    state.values().load(stream, moved);
    double sum = 0;
    for (float loss : losses(stream, network)) {
      sum += loss;
    }
    return sum / BATCH;
  }

  @ParameterizedTest
  @MethodSource("devices")
  void memoryIsPlannedAndSmall(Device device) {
    var kind = OptimizerSettings.Kind.ADAMW;
    try (Stream stream = Stream.open(device)) {
      long before = device.liveBytes();
      var needed = HeadTrainingNetwork.estimate(stream, NET, BATCH, DType.F32, null, kind, true);
      var whole = TrainingNetwork.estimate(stream, NET, BATCH, DType.F32, null, kind, true);
      assertTrue(needed.arenaBytes() * 4 < whole.arenaBytes(), needed + " of " + whole);
      assertTrue(needed.parameterBytes() * 3 < whole.parameterBytes(), needed + " of " + whole);
      Parameters trained = HeadTrainingNetwork.trained(NET);
      try (TrainingState state = new TrainingState(stream, trained, kind, true, 1);
          HeadTrainingNetwork ours =
              HeadTrainingNetwork.open(stream, NET, BATCH, DType.F32, null, 0, state)) {
        assertEquals(needed.arenaBytes(), ours.arena().bytes());
        assertEquals(0, (device.liveBytes() - before - needed.totalBytes()) / 4096);
      }
      assertEquals(before, device.liveBytes());
    }
  }
}
