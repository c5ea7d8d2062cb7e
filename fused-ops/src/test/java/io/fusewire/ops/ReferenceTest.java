// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The references' gradients against central differences of their forward functions, in double
 * precision: the kernels are compared with these references, so these must be right by themselves.
 */
@Tag("unit")
class ReferenceTest {
  private static final double STEP = 1e-6;

  /** Compares a gradient with differences of {@code loss} in every element of {@code at}. */
  private static void assertGradient(
      String what, double[] at, double[] gradient, ToDoubleFunction<double[]> loss) {
    assertEquals(at.length, gradient.length);
    for (int i = 0; i < at.length; i++) {
      double kept = at[i];
      at[i] = kept + STEP;
      double above = loss.applyAsDouble(at);
      at[i] = kept - STEP;
      double below = loss.applyAsDouble(at);
      at[i] = kept;
      double difference = (above - below) / (2 * STEP);
      assertEquals(
          difference, gradient[i], 1e-5 + 1e-3 * Math.abs(difference), what + " element " + i);
    }
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  @Test
  void convolutions() {
    List<ConvReference> all = new ArrayList<>();
    all.add(new ConvReference(ConvShape.same(2, 5, 4, 3, 3, 3, 2), true));
    all.add(new ConvReference(new ConvShape(1, 6, 5, 2, 2, 2, 3, 2, 1, 2, 1, 1, 0, 2, 1), true));
    all.add(new ConvReference(ConvShape.same(2, 4, 5, 3, 4, 3, 2), false));
    all.add(new ConvReference(ConvShape.same(3, 1, 1, 4, 2, 1, 1), false));
    for (ConvReference conv : all) {
      Random random = new Random(1);
      double[] src = Numbers.reals(random, DType.F32, conv.srcSize());
      double[] weights = Numbers.reals(random, DType.F32, conv.weightsSize());
      double[] bias = Numbers.reals(random, DType.F32, conv.shape().outChannels());
      double[] diffDst = Numbers.reals(random, DType.F32, conv.dstSize());
      String what = conv.toString();
      assertGradient(
          "src of " + what,
          src,
          conv.backwardData(diffDst, weights),
          x -> dot(conv.forward(x, weights, bias), diffDst));
      assertGradient(
          "weights of " + what,
          weights,
          conv.backwardWeights(src, diffDst),
          w -> dot(conv.forward(src, w, bias), diffDst));
      assertGradient(
          "bias of " + what,
          bias,
          conv.backwardBias(diffDst),
          b -> dot(conv.forward(src, weights, b), diffDst));
    }
  }

  @Test
  void activations() {
    for (Activation activation : Activation.values()) {
      double[] x = {-7, -2.5, -0.3, 0.2, 1.7, 5.9, 6.1, 9};
      double[] ones = {1, 1, 1, 1, 1, 1, 1, 1};
      assertGradient(
          activation.toString(),
          x,
          ActivationReference.backward(activation, x, ones),
          v -> dot(ActivationReference.apply(activation, v), ones));
    }
  }

  @Test
  void batchNorm() {
    for (Activation activation : new Activation[] {Activation.IDENTITY, Activation.SILU}) {
      Random random = new Random(2);
      int channels = 3;
      double[] src = Numbers.reals(random, DType.F32, 7L * channels);
      double[] gamma = Numbers.reals(random, DType.F32, channels);
      double[] beta = Numbers.reals(random, DType.F32, channels);
      double[] diffDst = Numbers.reals(random, DType.F32, src.length);
      double[][] gradients =
          new BatchNormReference(src, channels, 1e-3, activation).backward(gamma, beta, diffDst);
      ToDoubleFunction<double[]> loss =
          ignored ->
              dot(
                  new BatchNormReference(src, channels, 1e-3, activation).forward(gamma, beta),
                  diffDst);
      assertGradient("gamma", gamma, gradients[0], loss);
      assertGradient("beta", beta, gradients[1], loss);
      assertGradient("src", src, gradients[2], loss);
    }
  }

  @Test
  void squeezeExcite() {
    for (Gate gate : Gate.values()) {
      Random random = new Random(3);
      SqueezeExciteReference reference =
          new SqueezeExciteReference(2, 5, 4, 3, Activation.SILU, gate);
      double[] src = Numbers.reals(random, DType.F32, 2 * 5 * 4);
      double[] diffDst = Numbers.reals(random, DType.F32, src.length);
      double[][] weights = {
        Numbers.reals(random, DType.F32, 12),
        Numbers.reals(random, DType.F32, 3),
        Numbers.reals(random, DType.F32, 12),
        Numbers.reals(random, DType.F32, 4)
      };
      ToDoubleFunction<double[]> loss = ignored -> dot(reference.forward(src, weights), diffDst);
      assertTrue(Double.isFinite(loss.applyAsDouble(src)));
      double[][] gradients = reference.backward(src, diffDst, weights);
      assertGradient(gate + " src", src, gradients[0], loss);
      for (int i = 0; i < 4; i++) {
        assertGradient(gate + " weights " + i, weights[i], gradients[i + 1], loss);
      }
    }
  }

  @Test
  void dropoutHead() {
    for (SampleMode mode : SampleMode.values()) {
      Random random = new Random(4);
      DropoutHeadReference reference =
          new DropoutHeadReference(3, 5, 4, 3, 0.4f, 0.1f, mode, 1, 2, 3);
      double[] pooled = Numbers.reals(random, DType.F32, 15);
      double[] weights = Numbers.reals(random, DType.F32, 20);
      double[] bias = Numbers.reals(random, DType.F32, 4);
      int[] labels = {2, -1, 0};
      ToDoubleFunction<double[]> loss =
          ignored -> {
            reference.forward(pooled, weights, bias, labels);
            return (reference.losses[0] + reference.losses[2]) / 2;
          };
      assertTrue(Double.isFinite(loss.applyAsDouble(pooled)));
      double[][] gradients = reference.backward(pooled, weights);
      assertGradient(mode + " pooled", pooled, gradients[0], loss);
      assertGradient(mode + " weights", weights, gradients[1], loss);
      assertGradient(mode + " bias", bias, gradients[2], loss);
    }
  }
}
