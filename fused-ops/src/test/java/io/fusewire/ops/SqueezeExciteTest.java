// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("unit")
class SqueezeExciteTest {
  private static final int[][] SIZES = {
    {1, 1, 1, 1}, {2, 49, 32, 8}, {3, 16, 17, 5}, {1, 196, 96, 4}, {2, 9, 240, 10}, {4, 4, 7, 65},
  };

  static List<Arguments> cases() {
    List<Arguments> cases = new ArrayList<>();
    for (Device device : Device.all()) {
      for (DType dtype : Lab.floating()) {
        for (int[] size : SIZES) {
          cases.add(Arguments.of(device, dtype, size, Activation.SILU, Gate.SIGMOID));
          cases.add(Arguments.of(device, dtype, size, Activation.RELU, Gate.HARD_SIGMOID));
        }
      }
    }
    return cases;
  }

  /** Tensors of one problem, and what came out. */
  private static final class Run {
    final double[] src;
    final double[] diffDst;
    final double[][] weights;
    final SqueezeExciteReference reference;
    Tensor dst;
    Tensor pooled;
    Tensor hidden;
    Tensor gate;
    Tensor[] gradients;

    Run(DType dtype, int[] size, Activation activation, Gate gate, long seed) {
      int batch = size[0];
      int pixels = size[1];
      int channels = size[2];
      int squeezed = size[3];
      Random random = new Random(seed);
      src = Numbers.reals(random, dtype, (long) batch * pixels * channels);
      for (int i = 0; i < src.length; i++) {
        src[i] = Numbers.round(dtype, src[i] + 0.5);
      }
      diffDst = Numbers.reals(random, dtype, src.length);
      weights =
          new double[][] {
            Numbers.reals(random, DType.F32, (long) squeezed * channels),
            Numbers.reals(random, DType.F32, squeezed),
            Numbers.scaled(
                Numbers.reals(random, DType.F32, (long) channels * squeezed),
                1 / Math.sqrt(squeezed),
                DType.F32),
            Numbers.reals(random, DType.F32, channels),
          };
      reference = new SqueezeExciteReference(batch, pixels, channels, squeezed, activation, gate);
    }

    void on(Lab lab, DType dtype) {
      SqueezeExciteReference r = reference;
      SqueezeExcite op =
          new SqueezeExcite(
              r.batch, r.pixels, r.channels, r.squeezed, dtype, r.activation, r.gateFunction);
      Tensor workspace = lab.workspace(op.workspaceBytes(lab.stream));
      Tensor srcTensor = lab.in(dtype, src, r.batch, r.pixels, r.channels);
      Tensor reduce = lab.in(DType.F32, weights[0], r.squeezed, r.channels);
      Tensor reduceBias = lab.in(DType.F32, weights[1], r.squeezed);
      Tensor expand = lab.in(DType.F32, weights[2], r.channels, r.squeezed);
      Tensor expandBias = lab.in(DType.F32, weights[3], r.channels);
      pooled = lab.out(DType.F32, r.batch, r.channels);
      hidden = lab.out(DType.F32, r.batch, r.squeezed);
      gate = lab.out(DType.F32, r.batch, r.channels);
      dst = lab.out(dtype, r.batch, r.pixels, r.channels);
      op.forward(
          lab.stream,
          srcTensor,
          reduce,
          reduceBias,
          expand,
          expandBias,
          pooled,
          hidden,
          gate,
          dst,
          workspace);
      Tensor diff = lab.in(dtype, diffDst, r.batch, r.pixels, r.channels);
      gradients =
          new Tensor[] {
            diff, // in place
            lab.out(DType.F32, r.squeezed, r.channels),
            lab.out(DType.F32, r.squeezed),
            lab.out(DType.F32, r.channels, r.squeezed),
            lab.out(DType.F32, r.channels),
          };
      op.backward(
          lab.stream,
          srcTensor,
          diff,
          reduce,
          expand,
          pooled,
          hidden,
          gate,
          gradients[0],
          gradients[1],
          gradients[2],
          gradients[3],
          gradients[4],
          workspace);
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void forwardAndBackward(Device device, DType dtype, int[] size, Activation act, Gate gate) {
    Run run = new Run(dtype, size, act, gate, 6);
    try (Lab lab = new Lab(device)) {
      run.on(lab, dtype);
      double[] expected = run.reference.forward(run.src, run.weights);
      Numbers.assertForward("pooled", DType.F32, run.reference.pooled, lab.read(run.pooled));
      Numbers.assertGradient("hidden", DType.F32, run.reference.hidden, lab.read(run.hidden));
      Numbers.assertGradient("gate", DType.F32, run.reference.gate, lab.read(run.gate));
      Numbers.assertGradient("dst", dtype, expected, lab.read(run.dst));
      double[][] diff = run.reference.backward(run.src, run.diffDst, run.weights);
      String[] names = {
        "diffSrc", "diffReduceWeights", "diffReduceBias", "diffExpandWeights", "diffExpandBias"
      };
      for (int i = 0; i < names.length; i++) {
        DType stored = i == 0 ? dtype : DType.F32;
        Numbers.assertGradient(names[i], stored, diff[i], lab.read(run.gradients[i]));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void bitsDoNotDependOnThreads(Device device, DType dtype) {
    List<double[]> first = null;
    int[][] settings = {{1, 0}, {2, 1}, {5, 7}, {1, 0}};
    for (int[] setting : settings) {
      Run run = new Run(dtype, new int[] {3, 100, 50, 12}, Activation.SILU, Gate.SIGMOID, 8);
      try (Lab lab = new Lab(device)) {
        lab.stream.threads(setting[0]).order(setting[1]);
        run.on(lab, dtype);
        List<double[]> results = new ArrayList<>();
        results.add(lab.read(run.dst));
        for (Tensor gradient : run.gradients) {
          results.add(lab.read(gradient));
        }
        first = first == null ? results : first;
        for (int i = 0; i < results.size(); i++) {
          assertArrayEquals(first.get(i), results.get(i), "result " + i);
        }
      }
    }
  }

  @Tag("fuzz")
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void randomSizes(Device device, DType dtype) {
    Fuzz.run(
        getClass(),
        device,
        random ->
            forwardAndBackward(
                device,
                dtype,
                new int[] {
                  1 + random.nextInt(4),
                  1 + random.nextInt(90),
                  1 + random.nextInt(120),
                  1 + random.nextInt(40)
                },
                random.nextBoolean() ? Activation.SILU : Activation.RELU,
                Fuzz.any(random, Gate.values())));
  }
}
