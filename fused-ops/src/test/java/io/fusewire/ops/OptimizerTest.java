// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("unit")
class OptimizerTest {
  /** Sizes below, at and above what one block handles, and odd ones. */
  private static final int[] COUNTS = {1, 7, 16384, 16385, 40003, 64};

  static List<Arguments> cases() {
    List<Arguments> cases = new ArrayList<>();
    for (Device device : Device.all()) {
      cases.add(Arguments.of(device, OptimizerSettings.sgd(false), 0f));
      cases.add(Arguments.of(device, OptimizerSettings.sgd(true), 0f));
      cases.add(Arguments.of(device, OptimizerSettings.rmsProp(0.9f, 1e-3f), 1f));
      cases.add(Arguments.of(device, OptimizerSettings.adamW(0.999f, 1e-8f), 0f));
    }
    return cases;
  }

  /** Parameters with all that belongs to them on a device. */
  private static final class Network implements AutoCloseable {
    final Lab lab;
    final List<OptimizerReference> references = new ArrayList<>();
    final List<Tensor> values = new ArrayList<>();
    final List<Tensor> gradients = new ArrayList<>();
    final List<Tensor> averages = new ArrayList<>();
    final Tensor statistic;
    final Tensor statisticAverage;
    final ParameterTable table;

    Network(Lab lab, OptimizerSettings settings, float state1) {
      this.lab = lab;
      Random random = new Random(3);
      ParameterTable.Builder builder = ParameterTable.builder(lab.stream);
      for (int i = 0; i < COUNTS.length; i++) {
        int count = COUNTS[i];
        double[] value = Numbers.reals(random, DType.F32, count);
        references.add(new OptimizerReference(settings, value, state1));
        values.add(lab.in(DType.F32, value, count));
        gradients.add(lab.out(DType.F32, count));
        averages.add(i == 1 ? null : lab.in(DType.F32, value, count));
        double[] start = new double[count];
        java.util.Arrays.fill(start, state1);
        builder.add(
            values.get(i),
            gradients.get(i),
            lab.in(DType.F32, new double[count], count),
            settings.kind().states() > 1 ? lab.in(DType.F32, start, count) : null,
            averages.get(i),
            i % 2 * 0.01f,
            i == 2 ? 0.5f : 1);
      }
      statistic = lab.in(DType.F32, new double[] {1, 2, 3}, 3);
      statisticAverage = lab.in(DType.F32, new double[] {0, 0, 1}, 3);
      builder.addAverageOnly(statistic, statisticAverage);
      table = builder.build();
    }

    /** Random gradients, times the loss scale on the device. */
    List<double[]> setGradients(Random random, double scale) {
      List<double[]> all = new ArrayList<>();
      for (int i = 0; i < COUNTS.length; i++) {
        double[] gradient = Numbers.reals(random, DType.F32, COUNTS[i]);
        all.add(gradient);
        float[] scaled = new float[gradient.length];
        for (int j = 0; j < scaled.length; j++) {
          scaled[j] = (float) (gradient[j] * scale);
        }
        gradients.get(i).copyFrom(lab.stream, scaled);
      }
      return all;
    }

    @Override
    public void close() {
      table.close();
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void stepsFollowTheFormulas(Device device, OptimizerSettings plain, float state1) {
    for (float clip : new float[] {0, 50}) {
      OptimizerSettings settings = plain.withClipNorm(clip);
      try (Lab lab = new Lab(device);
          Network net = new Network(lab, settings, state1);
          StepState step = new StepState(lab.stream);
          LossScale scale = new LossScale(lab.stream, 8)) {
        Optimizer optimizer = new Optimizer(settings);
        Tensor workspace = lab.workspace(optimizer.workspaceBytes(lab.stream, net.table));
        Random random = new Random(4);
        double average = 0;
        for (int t = 1; t <= 3; t++) {
          List<double[]> gradients = net.setGradients(random, 8);
          float c1 = (float) (1 - Math.pow(0.9, t));
          float c2 = (float) (1 - Math.pow(0.999, t));
          step.set(lab.stream, 0, t, 0.05f, 0.9f, 0.75f, c1, c2);
          optimizer.examine(lab.stream, net.table, scale, workspace);
          double norm = 0;
          for (double[] gradient : gradients) {
            for (double g : gradient) {
              norm += g * g;
            }
          }
          norm = Math.sqrt(norm);
          assertEquals(norm, scale.read(lab.stream).gradientNorm(), norm * 1e-5);
          assertFalse(scale.read(lab.stream).overflow());
          optimizer.step(lab.stream, net.table, step, scale);
          double factor = clip > 0 && norm > clip ? clip / norm : 1;
          for (int i = 0; i < COUNTS.length; i++) {
            double[] g = gradients.get(i).clone();
            for (int j = 0; j < g.length; j++) {
              g[j] *= factor;
            }
            double rate = 0.05f * (i == 2 ? 0.5 : 1);
            net.references.get(i).step(g, rate, 0.9f, 0.75, i % 2 * 0.01f, c1, c2);
          }
          average = 0.75 * average + 0.25 * 2;
        }
        for (int i = 0; i < COUNTS.length; i++) {
          OptimizerReference reference = net.references.get(i);
          Numbers.assertGradient(
              "value " + i, DType.F32, reference.value, lab.read(net.values.get(i)));
          if (net.averages.get(i) != null) {
            Numbers.assertGradient(
                "average " + i, DType.F32, reference.ema, lab.read(net.averages.get(i)));
          }
        }
        assertEquals(average, lab.read(net.statisticAverage)[1], 1e-6);
        assertArrayEquals(new double[] {1, 2, 3}, lab.read(net.statistic));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void anOverflowChangesNothingAndLowersTheScale(Device device) {
    OptimizerSettings settings = OptimizerSettings.sgd(false).withDynamicLossScale(2, 0.5f, 2);
    for (double bad : new double[] {Double.POSITIVE_INFINITY, Double.NaN}) {
      try (Lab lab = new Lab(device);
          Network net = new Network(lab, settings, 0);
          StepState step = new StepState(lab.stream);
          LossScale scale = new LossScale(lab.stream, 1024)) {
        Optimizer optimizer = new Optimizer(settings);
        Tensor workspace = lab.workspace(optimizer.workspaceBytes(lab.stream, net.table));
        step.set(lab.stream, 0, 0, 0.1f, 0.9f, 0.5f, 1, 1);
        net.setGradients(new Random(1), 1024);
        int last = COUNTS.length - 2;
        float[] gradient = net.gradients.get(last).toFloats(lab.stream);
        gradient[gradient.length - 1] = (float) bad;
        net.gradients.get(last).copyFrom(lab.stream, gradient);
        double[] before = lab.read(net.values.get(0));
        double[] averageBefore = lab.read(net.statisticAverage);
        optimizer.examine(lab.stream, net.table, scale, workspace);
        assertTrue(scale.read(lab.stream).overflow());
        assertEquals(1024, scale.read(lab.stream).scale());
        optimizer.step(lab.stream, net.table, step, scale);
        assertArrayEquals(before, lab.read(net.values.get(0)));
        assertArrayEquals(averageBefore, lab.read(net.statisticAverage));
        assertEquals(512, scale.read(lab.stream).scale());
        assertEquals(1, scale.read(lab.stream).skipped());
        assertEquals(0, scale.read(lab.stream).goodSteps());

        // Two good steps let it grow again.
        for (int i = 0; i < 2; i++) {
          net.setGradients(new Random(2), 512);
          optimizer.examine(lab.stream, net.table, scale, workspace);
          assertFalse(scale.read(lab.stream).overflow());
          optimizer.step(lab.stream, net.table, step, scale);
        }
        assertEquals(1024, scale.read(lab.stream).scale());
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void theNormDoesNotDependOnThreads(Device device) {
    OptimizerSettings settings = OptimizerSettings.sgd(false);
    float first = Float.NaN;
    for (int threads : new int[] {1, 2, 5}) {
      try (Lab lab = new Lab(device);
          Network net = new Network(lab, settings, 0);
          LossScale scale = new LossScale(lab.stream, 1)) {
        lab.stream.threads(threads);
        Optimizer optimizer = new Optimizer(settings);
        Tensor workspace = lab.workspace(optimizer.workspaceBytes(lab.stream, net.table));
        net.setGradients(new Random(8), 1);
        optimizer.examine(lab.stream, net.table, scale, workspace);
        float norm = scale.read(lab.stream).gradientNorm();
        first = Float.isNaN(first) ? norm : first;
        assertEquals(first, norm);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void aTableWithoutTheStateAnOptimizerNeedsIsRefused(Device device) {
    try (Lab lab = new Lab(device);
        Network net = new Network(lab, OptimizerSettings.sgd(false), 0);
        LossScale scale = new LossScale(lab.stream, 1)) {
      Optimizer adam = new Optimizer(OptimizerSettings.adamW(0.999f, 1e-8f));
      Exception e =
          assertThrows(
              IllegalArgumentException.class,
              () -> adam.examine(lab.stream, net.table, scale, null));
      assertTrue(e.getMessage().contains("state1"), e.getMessage());
      assertThrows(IllegalStateException.class, () -> ParameterTable.builder(lab.stream).build());
      Tensor four = lab.out(DType.F32, 4);
      Tensor five = lab.out(DType.F32, 5);
      e =
          assertThrows(
              IllegalArgumentException.class,
              () -> ParameterTable.builder(lab.stream).add(four, five, four, null, null, 0, 1));
      assertTrue(e.getMessage().contains("5 elements but value 4"), e.getMessage());
    }
  }
}
