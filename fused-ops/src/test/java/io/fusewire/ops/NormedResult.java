// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import java.util.Arrays;
import java.util.Random;

/**
 * The result of a fused convolution with the BatchNorm that follows it, held to what {@link
 * BatchNorm} says about the same raw values, and the way back through that BatchNorm.
 */
final class NormedResult {
  private final Lab lab;
  private final double[] gammas;
  private final double[] betas;

  final Tensor gamma;
  final Tensor beta;
  final Tensor runningMean;
  final Tensor runningVar;
  final Tensor dst;
  final Tensor norm;

  /** Set by {@link #check}. */
  NormedSource source;

  NormedResult(Lab lab, DType dtype, Random random, long... shape) {
    this.lab = lab;
    int channels = (int) shape[shape.length - 1];
    gammas = Numbers.reals(random, DType.F32, channels);
    betas = Numbers.reals(random, DType.F32, channels);
    gamma = lab.in(DType.F32, gammas, channels);
    beta = lab.in(DType.F32, betas, channels);
    runningMean = lab.in(DType.F32, Numbers.reals(random, DType.F32, channels), channels);
    double[] one = new double[channels];
    Arrays.fill(one, 1);
    runningVar = lab.in(DType.F32, one, channels);
    dst = lab.out(dtype, shape);
    norm = lab.out(DType.F32, 4, channels);
  }

  /** Running averages as BatchNorm would update them are taken before the fused operation runs. */
  double[][] running() {
    return new double[][] {lab.read(runningMean), lab.read(runningVar)};
  }

  /** Table and running averages are those that BatchNorm makes of dst. */
  void check(double[][] before, Activation activation) {
    source = new NormedSource(lab, dst, activation, gammas, betas);
    NormedSource.assertAgrees("outNorm", DType.F32, source.table(), lab.read(norm));
    int channels = gammas.length;
    long rows = dst.elements() / channels;
    BatchNorm same =
        new BatchNorm(
            rows,
            channels,
            dst.dtype(),
            Activation.IDENTITY,
            NormedSource.EPSILON,
            NormedSource.MOMENTUM);
    Tensor mean = lab.in(DType.F32, before[0], channels);
    Tensor var = lab.in(DType.F32, before[1], channels);
    same.forwardTraining(
        lab.stream,
        dst,
        gamma,
        beta,
        mean,
        var,
        lab.out(DType.F32, channels),
        lab.out(DType.F32, channels),
        lab.out(dst.dtype(), dst.shape()),
        lab.workspace(same.workspaceBytes(lab.stream)));
    NormedSource.assertAgrees("runningMean", DType.F32, lab.read(mean), lab.read(runningMean));
    NormedSource.assertAgrees("runningVar", DType.F32, lab.read(var), lab.read(runningVar));
  }

  /** The gradient table of dst from the gradient of activation(norm(dst)). */
  Tensor gradientTable(Tensor diff, Tensor imageScale, Activation activation) {
    int channels = gammas.length;
    long batch = dst.size(0);
    NormGradient op =
        new NormGradient(
            batch, dst.elements() / channels / batch, channels, dst.dtype(), activation);
    Tensor gradient = lab.out(DType.F32, 2, channels);
    op.run(
        lab.stream,
        dst,
        norm,
        diff,
        imageScale,
        lab.out(DType.F32, channels),
        lab.out(DType.F32, channels),
        gradient,
        lab.workspace(op.workspaceBytes(lab.stream)));
    return gradient;
  }
}
