// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import org.bytedeco.javacpp.BoolPointer;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/** libtorch's side of a contest, in the calls that its own forward and backward passes make. */
final class Torch {
  /** Of every BatchNorm. */
  static final double EPSILON = 1e-3;

  static final long[] PIXELS = {2, 3};

  private static final double MOMENTUM = 0.1;
  private static final long[] ONE = {1, 1};
  private static final long[] NONE = {0, 0};

  // Retained, since the scope that happens to be open now must not free them.
  private static final TensorOptional ABSENT = new TensorOptional().retainReference();
  private static final ScalarTypeOptional SAME_TYPE = new ScalarTypeOptional().retainReference();
  private static final BoolPointer DATA = mask(true, false, false);
  private static final BoolPointer WEIGHTS = mask(false, true, false);
  private static final BoolPointer DATA_AND_WEIGHTS = mask(true, true, false);
  private static final BoolPointer ALL = mask(true, true, true);

  private Torch() {}

  private static BoolPointer mask(boolean... wanted) {
    BoolPointer mask = new BoolPointer(wanted.length);
    for (int i = 0; i < wanted.length; i++) {
      mask.put(i, wanted[i]);
    }
    return mask.retainReference();
  }

  /** The problem's convolution; a null bias is none. */
  static Tensor conv(Problem problem, Tensor x, Tensor weights, Tensor bias) {
    long stride = problem.stride();
    long padding = problem.kernel() / 2;
    // Both only where weights are not of the images' type yet, in preparations, and biases.
    torch.ScalarType type = x.scalar_type();
    return torch.conv2d(
        x,
        weights.to(type),
        bias == null ? ABSENT : new TensorOptional(bias.to(type)),
        new long[] {stride, stride},
        new long[] {padding, padding},
        ONE,
        groups(problem));
  }

  /** A pointwise convolution of weights (out, in, 1, 1). */
  static Tensor pointwise(Tensor x, Tensor weights, Tensor bias) {
    torch.ScalarType type = x.scalar_type();
    TensorOptional shift = new TensorOptional(bias.to(type));
    return torch.conv2d(x, weights.to(type), shift, ONE, NONE, ONE, 1);
  }

  private static long groups(Problem problem) {
    return problem.layer() == Layer.DEPTHWISE ? problem.inChannels() : 1;
  }

  /** The gradient of the convolution's source; of x only the sizes matter. */
  static Tensor dataGradient(Problem problem, Tensor diff, Tensor x, Tensor weights) {
    return gradients(problem, diff, x, weights, DATA).get0();
  }

  /** The gradient of its weights, of which only the sizes matter. */
  static Tensor weightsGradient(Problem problem, Tensor diff, Tensor x, Tensor weights) {
    return gradients(problem, diff, x, weights, WEIGHTS).get1();
  }

  /** Both gradients: 0 the source's, 1 the weights'. */
  static T_TensorTensorTensor_T gradients(Problem problem, Tensor diff, Tensor x, Tensor weights) {
    return gradients(problem, diff, x, weights, DATA_AND_WEIGHTS);
  }

  private static T_TensorTensorTensor_T gradients(
      Problem problem, Tensor diff, Tensor x, Tensor weights, BoolPointer mask) {
    long stride = problem.stride();
    long padding = problem.kernel() / 2;
    return torch.convolution_backward(
        diff,
        x,
        weights,
        NONE,
        new long[] {stride, stride},
        new long[] {padding, padding},
        ONE,
        false,
        NONE,
        groups(problem),
        mask);
  }

  /** BatchNorm with the batch's statistics. */
  static Tensor trainingNorm(Tensor x, Tensor gamma, Tensor beta) {
    return torch.batch_norm(
        x,
        new TensorOptional(gamma),
        new TensorOptional(beta),
        ABSENT,
        ABSENT,
        true,
        MOMENTUM,
        EPSILON,
        false);
  }

  /** BatchNorm with given statistics. */
  static Tensor norm(Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor variance) {
    return torch.batch_norm(
        x,
        new TensorOptional(gamma),
        new TensorOptional(beta),
        new TensorOptional(mean),
        new TensorOptional(variance),
        false,
        MOMENTUM,
        EPSILON,
        false);
  }

  /** Mean and variance over all but the channels, as BatchNorm takes them. */
  static T_TensorTensor_T statistics(Tensor x) {
    return torch.batch_norm_update_stats(x, ABSENT, ABSENT, MOMENTUM);
  }

  /** Gradients of a BatchNorm with the batch's statistics: 0 of x, 1 of gamma, 2 of beta. */
  static T_TensorTensorTensor_T normGradients(
      Tensor diff, Tensor x, Tensor gamma, Tensor mean, Tensor inverseDeviation) {
    return torch.native_batch_norm_backward(
        diff,
        x,
        new TensorOptional(gamma),
        ABSENT,
        ABSENT,
        new TensorOptional(mean),
        new TensorOptional(inverseDeviation),
        true,
        EPSILON,
        ALL);
  }

  /** Mean over the pixels, which stay as axes of size 1. */
  static Tensor pooled(Tensor x) {
    return torch.mean(x, PIXELS, true, SAME_TYPE);
  }

  /** Sum over some axes, which stay as axes of size 1. */
  static Tensor sum(Tensor x, long... axes) {
    return torch.sum(x, axes, true, SAME_TYPE);
  }

  /** A product with a number. */
  static Tensor scaled(Tensor x, double factor) {
    return x.mul(new Scalar(factor));
  }
}
