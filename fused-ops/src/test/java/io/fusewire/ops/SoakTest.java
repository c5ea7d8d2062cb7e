// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Random;
import java.util.Scanner;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Opens and closes for a long time and watches native memory. */
@Tag("soak")
class SoakTest {
  private static final int ROUNDS = Integer.getInteger("fusewire.soak.rounds", 20_000);

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void nativeMemoryDoesNotGrow(Device device) throws Exception {
    long bytes = device.liveBytes();
    long allocations = device.liveAllocations();
    Random random = new Random(1);
    int rounds = device.kind() == Device.Kind.CHECKED ? ROUNDS / 100 : ROUNDS;
    run(device, random, rounds / 4);
    long settled = residentBytes();
    run(device, random, rounds);
    assertEquals(bytes, device.liveBytes());
    assertEquals(allocations, device.liveAllocations());
    long grown = residentBytes() - settled;
    assertTrue(grown < 64 << 20, "resident memory grew by " + grown + " bytes");
  }

  private static void run(Device device, Random random, int rounds) {
    for (int i = 0; i < rounds; i++) {
      long channels = 1L + random.nextInt(64);
      ConvShape shape = ConvShape.same(1, 1 + random.nextInt(9), 8, channels, channels, 3, 1);
      DepthwiseConv conv = new DepthwiseConv(shape, DType.F32, Activation.SILU);
      try (Stream stream = Stream.open(device);
          Event event = Event.open(device);
          StepState step = new StepState(stream);
          Workspace workspace = new Workspace(device);
          Tensor src = image(device, shape);
          Tensor dst = image(device, shape);
          Tensor weights = Tensor.allocate(device, DType.F32, 3, 3, channels)) {
        src.fill(stream, 0);
        weights.fill(stream, 0);
        step.random(stream, i, i);
        workspace.reserve(1 + random.nextInt(1 << 16));
        conv.forward(stream, src, weights, null, dst);
        event.record(stream);
        event.synchronize();
      }
    }
  }

  private static Tensor image(Device device, ConvShape shape) {
    return Tensor.allocate(
        device, DType.F32, 1, shape.inHeight(), shape.inWidth(), shape.inChannels());
  }

  private static long residentBytes() throws Exception {
    System.gc();
    try (Scanner pages = new Scanner(Path.of("/proc/self/statm"), StandardCharsets.UTF_8)) {
      pages.nextLong(); // of address space
      return pages.nextLong() * 4096;
    }
  }
}
