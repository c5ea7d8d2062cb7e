// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import static io.fusewire.bench.layers.SharedTensor.Form.IMAGE;
import static io.fusewire.bench.layers.SharedTensor.Form.PLAIN;

import io.fusewire.ops.Stream;
import java.util.Arrays;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A raw tensor between a convolution and its BatchNorm, with what our kernels (a norm table) and
 * libtorch (mean, variance, 1/std) need to normalise it.
 */
final class NormedSource {
  private static final long[] ALL_BUT_CHANNELS = {0, 2, 3};

  private final Scene scene;
  private final SharedTensor raw;
  private final SharedTensor table;
  private final SharedTensor gamma;
  private final SharedTensor beta;
  private final SharedTensor mean;
  private final SharedTensor variance;
  private final SharedTensor inverseDeviation;

  private NormedSource(Scene scene, SharedTensor raw, long channels) {
    this.scene = scene;
    this.raw = raw;
    this.table = scene.in(PLAIN, 4, channels);
    this.gamma = scene.beside(PLAIN, channels);
    this.beta = scene.beside(PLAIN, channels);
    this.mean = scene.beside(PLAIN, channels);
    this.variance = scene.beside(PLAIN, channels);
    this.inverseDeviation = scene.beside(PLAIN, channels);
  }

  /** A tensor of random content. */
  static NormedSource of(Scene scene, long... shape) {
    return new NormedSource(scene, scene.in(IMAGE, shape), shape[3]);
  }

  /** Makes mean, variance and our table of the content at place 0. */
  void prepare() {
    if (!scene.libtorch()) {
      prepareAsDrawn();
      return;
    }
    Tensor wide = raw.torch(0).to(torch.ScalarType.Double);
    Tensor batchMean = wide.mean(ALL_BUT_CHANNELS);
    Tensor batchVariance = wide.var(ALL_BUT_CHANNELS, false);
    Tensor inverse = batchVariance.add(new Scalar(Torch.EPSILON)).rsqrt();
    mean.torch(0).copy_(batchMean);
    variance.torch(0).copy_(batchVariance);
    inverseDeviation.torch(0).copy_(inverse);
    Tensor rows = table.torch(0);
    rows.select(0, 0).copy_(batchMean);
    rows.select(0, 1).copy_(inverse);
    rows.select(0, 2).copy_(inverse.mul(gamma.torch(0).to(torch.ScalarType.Double)));
    rows.select(0, 3).copy_(beta.torch(0));
  }

  /** The same of what the content was drawn from: mean 0, variance 1. */
  private void prepareAsDrawn() {
    Stream stream = scene.stream();
    float inverse = (float) (1 / Math.sqrt(1 + Torch.EPSILON));
    float[] scales = gamma.ours(0).toFloats(stream);
    float[] shifts = beta.ours(0).toFloats(stream);
    int channels = scales.length;
    float[] rows = new float[4 * channels];
    Arrays.fill(rows, channels, 2 * channels, inverse);
    for (int c = 0; c < channels; c++) {
      rows[2 * channels + c] = inverse * scales[c];
      rows[3 * channels + c] = shifts[c];
    }
    table.ours(0).copyFrom(stream, rows);
    mean.ours(0).fill(stream, 0);
    float[] ones = new float[channels];
    Arrays.fill(ones, 1);
    variance.ours(0).copyFrom(stream, ones);
    Arrays.fill(ones, inverse);
    inverseDeviation.ours(0).copyFrom(stream, ones);
  }

  SharedTensor raw() {
    return raw;
  }

  SharedTensor table() {
    return table;
  }

  SharedTensor gamma() {
    return gamma;
  }

  SharedTensor beta() {
    return beta;
  }

  SharedTensor mean() {
    return mean;
  }

  SharedTensor inverseDeviation() {
    return inverseDeviation;
  }

  /** libtorch's BatchNorm of it, a fresh tensor. */
  Tensor normalised(int place) {
    return Torch.norm(
        raw.torch(place),
        gamma.torch(place),
        beta.torch(place),
        mean.torch(place),
        variance.torch(place));
  }

  /** libtorch's gradients behind that BatchNorm: 0 of the raw tensor, 1 of gamma, 2 of beta. */
  T_TensorTensorTensor_T gradients(Tensor diff, int place) {
    return Torch.normGradients(
        diff,
        raw.torch(place),
        gamma.torch(place),
        mean.torch(place),
        inverseDeviation.torch(place));
  }
}
