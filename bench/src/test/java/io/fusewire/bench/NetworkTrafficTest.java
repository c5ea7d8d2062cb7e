// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.graph.ExpansionPolicy;
import io.fusewire.model.EfficientNet;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** That what the meter counts of a whole network can be relied on. */
final class NetworkTrafficTest {
  private static final int RESOLUTION = 64;

  private static NetworkTraffic twoTrained;
  private static NetworkTraffic twoInferred;
  private static NetworkTraffic twoOnChip;

  @BeforeAll
  static void count() {
    twoTrained = train(2);
    twoInferred = infer(2, ExpansionPolicy.STORED);
    twoOnChip = infer(2, ExpansionPolicy.ON_CHIP);
  }

  @AfterAll
  static void forget() {
    twoTrained = null;
    twoInferred = null;
    twoOnChip = null;
  }

  private static NetworkTraffic train(int batch) {
    try (Stream stream = Stream.open(Device.metered())) {
      EfficientNet net = EfficientNet.b0().resolution(RESOLUTION).build();
      return NetworkTraffic.train(stream, net, batch, DType.BF16);
    }
  }

  private static NetworkTraffic infer(int batch, ExpansionPolicy expansions) {
    try (Stream stream = Stream.open(Device.metered())) {
      EfficientNet net = EfficientNet.b0().resolution(RESOLUTION).build();
      return NetworkTraffic.infer(stream, net, batch, DType.BF16, expansions);
    }
  }

  @Test
  void everythingThatAStepSaysItWritesIsSeenToBeWritten() {
    for (NetworkTraffic network : List.of(twoTrained, twoInferred, twoOnChip)) {
      for (StepTraffic step : network.steps()) {
        for (TensorTraffic tensor : step.tensors()) {
          String what = step.name() + ": " + tensor;
          assertTrue(tensor.moved().writtenBytes() >= tensor.leastWritten(), what);
          if (tensor.kind() == TensorTraffic.Kind.VALUES && tensor.leastWritten() == 0) {
            assertEquals(0, tensor.moved().writtenBytes(), what + " is read only");
          }
          if (tensor.kind() == TensorTraffic.Kind.VALUES && tensor.leastRead() > 0) {
            assertTrue(tensor.moved().readBytes() > 0, what);
          }
        }
      }
    }
  }

  @Test
  void hardlyAnythingMovesOutsideOfTheTensors() {
    for (NetworkTraffic network : List.of(twoTrained, twoInferred, twoOnChip)) {
      long all = network.steps().stream().mapToLong(s -> s.moved().requestedBytes()).sum();
      long elsewhere = network.steps().stream().mapToLong(StepTraffic::elsewhere).sum();
      assertTrue(elsewhere <= all / 1000, elsewhere + " of " + all);
    }
    assertEquals(0, twoInferred.steps().stream().mapToLong(StepTraffic::elsewhere).sum());
  }

  @Test
  void whatStaysOnChipIsNotMoved() {
    assertEquals(15, twoInferred.steps().size() - twoOnChip.steps().size());
    assertTrue(moved(twoOnChip) < 0.8 * moved(twoInferred), () -> "" + moved(twoOnChip));
  }

  private static double moved(NetworkTraffic network) {
    return network.steps().stream()
        .mapToDouble(s -> s.moved(TensorTraffic.Kind.VALUES).bytes())
        .sum();
  }

  @Test
  void countsAreTheSameInEveryRun() {
    // Not assertEquals: its message would be a megabyte.
    assertTrue(twoTrained.equals(train(2)));
    assertTrue(twoInferred.equals(infer(2, ExpansionPolicy.STORED)));
  }

  /**
   * Two counts give the third: bytes per image do not depend on the batch but for the shared. Only
   * the workspaces grow less than that, since sums are split into fewer parts at a large batch; so
   * a total is never made to look smaller than it is. In inference the sums that a gate is made
   * from are values, which from 32 images on have one part each.
   */
  @Test
  void whatManyImagesMoveFollowsFromFew() {
    check(twoTrained, train(4), train(12));
    ExpansionPolicy stored = ExpansionPolicy.STORED;
    check(infer(32, stored), infer(48, stored), infer(64, stored));
  }

  private static void check(NetworkTraffic few, NetworkTraffic more, NetworkTraffic many) {
    TrafficCounts counts = new TrafficCounts(few, more, many.batch());
    for (TensorTraffic.Kind kind : TensorTraffic.Kind.values()) {
      double expected = 0;
      for (StepTraffic.Phase phase : StepTraffic.Phase.values()) {
        expected += counts.of(phase, kind).counted() * many.batch();
      }
      double counted = many.steps().stream().mapToDouble(s -> s.moved(kind).bytes()).sum();
      String what = "%s: %s counted, %s expected".formatted(kind, counted, expected);
      boolean workspace = kind == TensorTraffic.Kind.WORKSPACE;
      assertTrue(expected >= 0.999 * counted, what);
      assertTrue(expected <= (workspace ? 2 : 1.002) * counted, what);
    }
    double least = many.steps().stream().mapToDouble(StepTraffic::least).sum();
    assertEquals(least, counts.total().least() * many.batch(), 1e-4 * least);
    assertEquals((double) many.saved(), counts.saved() * many.batch(), 1.0);
  }
}
