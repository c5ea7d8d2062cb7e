// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("unit")
class DropoutHeadTest {
  private static final int[][] SIZES = {
    {1, 1, 2, 1}, {3, 20, 10, 8}, {5, 33, 7, 3}, {2, 128, 100, 2}, {8, 64, 10, 4},
  };

  static List<Arguments> cases() {
    List<Arguments> cases = new ArrayList<>();
    for (Device device : Device.all()) {
      for (int[] size : SIZES) {
        for (SampleMode mode : SampleMode.values()) {
          cases.add(Arguments.of(device, size, 0.5f, 0.1f, mode));
          cases.add(Arguments.of(device, size, 0.2f, 0f, mode));
          cases.add(Arguments.of(device, size, 0f, 0.1f, mode));
        }
      }
    }
    return cases;
  }

  @ParameterizedTest
  @MethodSource("cases")
  void lossAndGradients(
      Device device, int[] size, float dropout, float smoothing, SampleMode mode) {
    int batch = size[0];
    int channels = size[1];
    int classes = size[2];
    int samples = size[3];
    Random random = new Random(5);
    double[] pooled = Numbers.reals(random, DType.F32, (long) batch * channels);
    double[] weights =
        Numbers.scaled(Numbers.reals(random, DType.F32, (long) classes * channels), 0.3, DType.F32);
    double[] bias = Numbers.reals(random, DType.F32, classes);
    int[] labels = new int[batch];
    for (int n = 0; n < batch; n++) {
      labels[n] = n == 1 ? -1 : random.nextInt(classes);
    }
    DropoutHeadReference reference =
        new DropoutHeadReference(
            batch, channels, classes, samples, dropout, smoothing, mode, 4, 99, 12);
    reference.forward(pooled, weights, bias, labels);
    DropoutHead op =
        new DropoutHead(batch, channels, classes, samples, dropout, smoothing, mode, 4);
    try (Lab lab = new Lab(device);
        StepState step = new StepState(lab.stream);
        LossScale scale = new LossScale(lab.stream, 64)) {
      step.random(lab.stream, 99, 12);
      StepState given = dropout == 0 ? null : step;
      Tensor workspace = lab.workspace(op.workspaceBytes(lab.stream));
      Tensor pooledTensor = lab.in(DType.F32, pooled, batch, channels);
      Tensor weightsTensor = lab.in(DType.F32, weights, classes, channels);
      Tensor biasTensor = lab.in(DType.F32, bias, classes);
      Tensor labelsTensor = lab.in(labels, batch);
      Tensor losses = lab.out(DType.F32, batch);
      Tensor correct = lab.out(DType.I32, batch);
      Tensor diffLogits = lab.out(DType.F32, op.sets(), batch, classes);
      op.forward(
          lab.stream,
          given,
          pooledTensor,
          weightsTensor,
          biasTensor,
          labelsTensor,
          losses,
          correct,
          diffLogits,
          workspace);
      Numbers.assertGradient("losses", DType.F32, reference.losses, lab.read(losses));
      assertArrayEquals(reference.correct, correct.toInts(lab.stream), "correct");
      Numbers.assertGradient("diffLogits", DType.F32, reference.diffLogits, lab.read(diffLogits));

      Tensor diffPooled = lab.out(DType.F32, batch, channels);
      Tensor diffWeights = lab.out(DType.F32, classes, channels);
      Tensor diffBias = lab.out(DType.F32, classes);
      double[][] expected = reference.backward(pooled, weights);
      for (LossScale lossScale : new LossScale[] {null, scale}) {
        op.backward(
            lab.stream,
            given,
            lossScale,
            pooledTensor,
            weightsTensor,
            diffLogits,
            diffPooled,
            diffWeights,
            diffBias,
            workspace);
        double factor = lossScale == null ? 1 : 1.0 / 64;
        Numbers.assertGradient(
            "diffPooled", DType.F32, expected[0], times(lab.read(diffPooled), factor));
        Numbers.assertGradient(
            "diffWeights", DType.F32, expected[1], times(lab.read(diffWeights), factor));
        Numbers.assertGradient(
            "diffBias", DType.F32, expected[2], times(lab.read(diffBias), factor));
      }
    }
  }

  private static double[] times(double[] values, double factor) {
    double[] result = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      result[i] = values[i] * factor;
    }
    return result;
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void inferenceAndEvaluation(Device device) {
    int batch = 7;
    int channels = 45;
    int classes = 13;
    Random random = new Random(6);
    double[] pooled = Numbers.reals(random, DType.F32, (long) batch * channels);
    double[] weights = Numbers.reals(random, DType.F32, (long) classes * channels);
    double[] bias = Numbers.reals(random, DType.F32, classes);
    int[] labels = {0, 1, 2, -5, 12, 5, 6};
    DropoutHeadReference reference =
        new DropoutHeadReference(
            batch, channels, classes, 1, 0, 0.1f, SampleMode.AVERAGE_LOSSES, 0, 0, 0);
    reference.forward(pooled, weights, bias, labels);
    double[] expected = reference.logits(pooled, weights, bias);
    DropoutHead op =
        new DropoutHead(batch, channels, classes, 8, 0.5f, 0.1f, SampleMode.AVERAGE_LOSSES, 0);
    try (Lab lab = new Lab(device)) {
      Tensor workspace = lab.workspace(op.workspaceBytes(lab.stream));
      Tensor pooledTensor = lab.in(DType.F32, pooled, batch, channels);
      Tensor weightsTensor = lab.in(DType.F32, weights, classes, channels);
      Tensor biasTensor = lab.in(DType.F32, bias, classes);
      Tensor logits = lab.out(DType.F32, batch, classes);
      Tensor probabilities = lab.out(DType.F32, batch, classes);
      op.inference(
          lab.stream, pooledTensor, weightsTensor, biasTensor, logits, probabilities, workspace);
      Numbers.assertGradient("logits", DType.F32, expected, lab.read(logits));
      double[] p = lab.read(probabilities);
      for (int n = 0; n < batch; n++) {
        double sum = 0;
        for (int k = 0; k < classes; k++) {
          double ratio = Math.exp(expected[n * classes + k] - expected[n * classes]);
          assertEquals(ratio, p[n * classes + k] / p[n * classes], 1e-4 * ratio);
          sum += p[n * classes + k];
        }
        assertEquals(1, sum, 1e-6);
      }
      Tensor losses = lab.out(DType.F32, batch);
      Tensor correct = lab.out(DType.I32, batch);
      op.crossEntropy(lab.stream, logits, lab.in(labels, batch), losses, correct);
      Numbers.assertGradient("losses", DType.F32, reference.losses, lab.read(losses));
      assertArrayEquals(reference.correct, correct.toInts(lab.stream));
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void aLabelThatIsNoClassGivesNaN(Device device) {
    DropoutHead op = new DropoutHead(2, 3, 4, 1, 0, 0, SampleMode.AVERAGE_LOSSES, 0);
    try (Lab lab = new Lab(device)) {
      Tensor losses = lab.out(DType.F32, 2);
      Tensor correct = lab.out(DType.I32, 2);
      Tensor logits = lab.in(DType.F32, new double[8], 2, 4);
      op.crossEntropy(lab.stream, logits, lab.in(new int[] {4, 1}, 2), losses, correct);
      double[] values = lab.read(losses);
      assertTrue(Double.isNaN(values[0]));
      assertEquals(Math.log(4), values[1], 1e-6);
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void hugeLogitsDoNotOverflow(Device device) {
    DropoutHead op = new DropoutHead(1, 3, 3, 1, 0, 0, SampleMode.AVERAGE_LOSSES, 0);
    try (Lab lab = new Lab(device)) {
      Tensor losses = lab.out(DType.F32, 1);
      Tensor correct = lab.out(DType.I32, 1);
      Tensor logits = lab.in(DType.F32, new double[] {1e4, -1e4, 9e3}, 1, 3);
      op.crossEntropy(lab.stream, logits, lab.in(new int[] {2}, 1), losses, correct);
      assertEquals(1000, lab.read(losses)[0], 1e-2);
    }
  }

  @Tag("fuzz")
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void randomSizes(Device device) {
    Fuzz.run(
        getClass(),
        device,
        random ->
            lossAndGradients(
                device,
                new int[] {
                  2 + random.nextInt(9),
                  1 + random.nextInt(150),
                  2 + random.nextInt(60),
                  1 + random.nextInt(8)
                },
                random.nextInt(9) / 10f,
                random.nextInt(5) / 10f,
                Fuzz.any(random, SampleMode.values())));
  }
}
