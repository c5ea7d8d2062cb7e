// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;

/**
 * A raw tensor (batch, pixels, channels) as fused operations read it, and what the operations that
 * are not fused make of it: {@link BatchNorm}'s result with the activation, and its gradients.
 */
final class NormedSource {
  static final float EPSILON = 1e-3f;
  static final float MOMENTUM = 0.1f;

  final Lab lab;
  final DType dtype;
  final Activation activation;
  final int channels;
  final long[] shape;
  final double[] raw;

  /** The tensor itself. */
  final Tensor tensor;

  /** Its norm table (4, channels). */
  final Tensor norm;

  /** activation(norm(tensor)), stored. */
  final Tensor activated;

  private final BatchNorm batchNorm;
  private final Tensor workspace;
  private final Tensor gamma;
  private final Tensor beta;
  private final Tensor mean;
  private final Tensor inverse;
  private final double[] table;

  /** What BatchNorm makes of a gradient of {@link #activated}. */
  static final class Gradients {
    final double[] src;
    final double[] gamma;
    final double[] beta;

    private Gradients(double[] src, double[] gamma, double[] beta) {
      this.src = src;
      this.gamma = gamma;
      this.beta = beta;
    }
  }

  /** Random values, and random gamma and beta. */
  static NormedSource random(
      Lab lab, DType dtype, Activation activation, Random random, long... shape) {
    double[] raw = Numbers.reals(random, dtype, Shape.of("test", dtype, shape).elements());
    for (int i = 0; i < raw.length; i++) {
      raw[i] = Numbers.round(dtype, 1.5 * raw[i] + 1);
    }
    int channels = (int) shape[shape.length - 1];
    double[] gamma = Numbers.reals(random, DType.F32, channels);
    for (int c = 0; c < channels; c++) {
      gamma[c] = (float) (1 + 0.2 * gamma[c]);
    }
    double[] beta = Numbers.scaled(Numbers.reals(random, DType.F32, channels), 0.5, DType.F32);
    return new NormedSource(lab, lab.in(dtype, raw, shape), activation, gamma, beta);
  }

  NormedSource(Lab lab, Tensor tensor, Activation activation, double[] gamma, double[] beta) {
    this.lab = lab;
    this.tensor = tensor;
    this.dtype = tensor.dtype();
    this.activation = activation;
    this.shape = tensor.shape();
    this.channels = gamma.length;
    this.raw = lab.read(tensor);
    this.gamma = lab.in(DType.F32, gamma, channels);
    this.beta = lab.in(DType.F32, beta, channels);
    this.mean = lab.out(DType.F32, channels);
    this.inverse = lab.out(DType.F32, channels);
    this.activated = lab.out(dtype, shape);
    this.batchNorm =
        new BatchNorm(raw.length / channels, channels, dtype, activation, EPSILON, MOMENTUM);
    this.workspace = lab.workspace(batchNorm.workspaceBytes(lab.stream));
    batchNorm.forwardTraining(
        lab.stream, tensor, this.gamma, this.beta, null, null, mean, inverse, activated, workspace);
    double[] m = lab.read(mean);
    double[] r = lab.read(inverse);
    table = new double[4 * channels];
    for (int c = 0; c < channels; c++) {
      table[c] = m[c];
      table[channels + c] = r[c];
      table[2 * channels + c] = (float) (gamma[c] * r[c]);
      table[3 * channels + c] = beta[c];
    }
    this.norm = lab.in(DType.F32, table, 4, channels);
  }

  /** The norm table as BatchNorm has it. */
  double[] table() {
    return table.clone();
  }

  /** (x-mean)*scale+shift of element i. */
  double normed(int i) {
    int c = i % channels;
    return (raw[i] - table[c]) * table[2 * channels + c] + table[3 * channels + c];
  }

  /** diff times the activation's derivative: the gradient of norm(tensor). */
  double[] throughActivation(double[] diff) {
    double[] g = new double[diff.length];
    for (int i = 0; i < g.length; i++) {
      g[i] = diff[i] * ActivationReference.slope(activation, normed(i));
    }
    return g;
  }

  /** BatchNorm's gradients from the gradient of {@link #activated}. */
  Gradients backward(double[] diff) {
    Tensor diffTensor = lab.in(dtype, diff, shape);
    Tensor diffSrc = lab.out(dtype, shape);
    Tensor diffGamma = lab.out(DType.F32, channels);
    Tensor diffBeta = lab.out(DType.F32, channels);
    batchNorm.backward(
        lab.stream,
        tensor,
        diffTensor,
        gamma,
        beta,
        mean,
        inverse,
        diffSrc,
        diffGamma,
        diffBeta,
        workspace);
    return new Gradients(lab.read(diffSrc), lab.read(diffGamma), lab.read(diffBeta));
  }

  /** What a reader makes of a gradient table: the gradient of the raw tensor. */
  double[] applied(double[] gradientTable, double[] g) {
    double[] d = new double[g.length];
    for (int i = 0; i < d.length; i++) {
      int c = i % channels;
      d[i] =
          table[2 * channels + c] * g[i]
              + gradientTable[c] * (raw[i] - table[c])
              + gradientTable[channels + c];
    }
    return d;
  }

  /** Compares gradients of the BatchNorm with what {@link #backward} gives for diff. */
  void assertGradients(double[] diff, Tensor diffGamma, Tensor diffBeta, Tensor gradient) {
    Gradients expected = backward(diff);
    assertAgrees("diffGamma", dtype, expected.gamma, lab.read(diffGamma));
    assertAgrees("diffBeta", dtype, expected.beta, lab.read(diffBeta));
    double[] src = applied(lab.read(gradient), throughActivation(diff));
    assertAgrees("gradient of the raw tensor", dtype, expected.src, src);
  }

  /**
   * Two ways to compute the same: the operations that are not fused store what the fused ones keep
   * in F32, so that the storage type's precision counts, a few times.
   */
  static void assertAgrees(String what, DType dtype, double[] expected, double[] actual) {
    assertEquals(expected.length, actual.length, what + ": number of elements");
    double norm = 0;
    double error = 0;
    for (int i = 0; i < expected.length; i++) {
      norm += expected[i] * expected[i];
      error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    }
    double limit = dtype == DType.F32 ? 3e-5 : dtype == DType.F16 ? 4e-3 : 3e-2;
    assertTrue(norm > 0, what + ": nothing but zeros proves little");
    assertTrue(
        Math.sqrt(error / norm) <= limit,
        what + ": relative error " + Math.sqrt(error / norm) + " exceeds " + limit);
  }

  /** diff (batch, pixels, channels) times factor (batch, channels), plus addend or nothing. */
  static double[] scaled(double[] diff, double[] factor, double[] addend, int channels) {
    double[] result = new double[diff.length];
    int image = diff.length / factor.length * channels;
    for (int i = 0; i < diff.length; i++) {
      int at = i / image * channels + i % channels;
      result[i] = diff[i] * factor[at] + (addend == null ? 0 : addend[at]);
    }
    return result;
  }

  /** diff (batch, ...) times factor (batch). */
  static double[] scaledImages(double[] diff, double[] factor) {
    double[] result = new double[diff.length];
    for (int i = 0; i < diff.length; i++) {
      result[i] = diff[i] * factor[i / (diff.length / factor.length)];
    }
    return result;
  }
}
