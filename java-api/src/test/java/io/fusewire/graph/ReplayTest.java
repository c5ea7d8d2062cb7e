// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.model.EfficientNet;
import io.fusewire.model.Scaling;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.FusewireException;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ReplayTest {
  private static final EfficientNet NET =
      EfficientNet.builder("tiny")
          .scaling(new Scaling(0.25, 0.4))
          .resolution(17)
          .classes(5)
          .build();

  static List<Device> devices() {
    return Device.all();
  }

  private static float[] images(int number) {
    float[] images = new float[2 * NET.resolution() * NET.resolution() * NET.inputChannels()];
    Random random = new Random(number);
    for (int i = 0; i < images.length; i++) {
      images[i] = (float) random.nextGaussian();
    }
    return images;
  }

  @ParameterizedTest
  @MethodSource("devices")
  void inferenceByGraphHasTheSameBits(Device device) {
    float[] weights = NET.parameters().initialValues(3);
    float[] others = NET.parameters().initialValues(4);
    try (Stream stream = Stream.open(device);
        InferenceNetwork network =
            InferenceNetwork.open(stream, NET, 2, DType.F32, null, null, ExpansionPolicy.STORED)) {
      float[][] expected = new float[4][];
      for (Replay.Mode mode : Replay.Mode.values()) {
        network.replayAs(mode);
        for (int number = 0; number < 4; number++) {
          network.load(number == 2 ? others : weights);
          network.images().copyFrom(stream, images(number));
          final long allocations = device.allocationsMade();
          network.run();
          float[] logits = network.logits().toFloats(stream);
          assertEquals(allocations, device.allocationsMade());
          if (mode == Replay.Mode.EAGER) {
            expected[number] = logits;
          }
          assertArrayEquals(expected[number], logits, mode + " " + number);
        }
      }
      assertFalse(Arrays.equals(expected[0], expected[1]));
    }
  }

  @Test
  void capturesTheSecondTime() {
    try (Stream stream = Stream.open(Device.cpu());
        Tensor tensor = Tensor.allocate(Device.cpu(), DType.F32, 4)) {
      int[] calls = {0};
      Runnable work =
          () -> {
            calls[0]++;
            tensor.fill(stream, 0);
          };
      try (Replay replay = new Replay(stream, "work", work, Replay.Mode.GRAPH)) {
        replay.run();
        assertFalse(replay.captured());
        for (int i = 0; i < 3; i++) {
          tensor.fill(stream, 1);
          replay.run();
          assertTrue(replay.captured());
          assertArrayEquals(new float[4], tensor.toFloats(stream));
        }
        assertEquals(2, calls[0]);
        replay.close();
        replay.run();
        assertEquals(3, calls[0]);
      }
      try (Replay replay = new Replay(stream, "work", work, Replay.Mode.EAGER)) {
        replay.run();
        replay.run();
        assertFalse(replay.captured());
        assertEquals(5, calls[0]);
      }
    }
  }

  @Test
  void whatDoesNotFitIsRefusedBeforeAnythingIsAllocated() {
    Device device = Device.cpu();
    EfficientNet b0 = EfficientNet.b0().build();
    long batch = 1 << 20;
    long live = device.liveAllocations();
    try (Stream stream = Stream.open(device)) {
      String message =
          assertThrows(
                  FusewireException.class,
                  () ->
                      InferenceNetwork.open(
                          stream, b0, batch, DType.F32, null, null, ExpansionPolicy.STORED))
              .getMessage();
      assertTrue(message.contains("inference of " + b0 + " at batch " + batch), message);
      assertTrue(message.contains("the largest batch that fits is "), message);
      long fits = Long.parseLong(message.replaceAll("(?s).*batch that fits is (\\d+).*", "$1"));
      assertTrue(fits > 1 && fits < batch, message);
      assertTrue(
          InferenceNetwork.estimate(stream, b0, fits, DType.F32, null).totalBytes()
              <= device.totalMemory());
      message =
          assertThrows(
                  FusewireException.class,
                  () -> TrainingNetwork.open(stream, b0, batch, DType.F32, null, 0, null))
              .getMessage();
      assertTrue(message.contains("training " + b0 + " at batch " + batch), message);
    }
    assertEquals(live, device.liveAllocations());
  }
}
