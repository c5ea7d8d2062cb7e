// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;

/**
 * Dense convolution of plain input, such as a network's stem, with a BatchNorm after it in
 * training: the result is written raw, together with the BatchNorm's norm table.
 *
 * <pre>
 * dst     = convolution of src with weights, as {@link DenseConv} without bias and activation
 * outNorm = norm table of dst with gamma and beta
 * </pre>
 *
 * Tables are described at {@link NormGradient}. Activations are NHWC in the storage type;
 * everything else is F32. All tensors are on the stream's device. Every method throws {@link
 * IllegalArgumentException} for a tensor that does not fit and {@link IllegalStateException} for a
 * closed one, before anything is launched. One object may serve any number of streams and threads.
 */
public final class FusedConv {
  private static final String FORWARD = "FusedConv.forward";
  private static final String WEIGHTS = "FusedConv.backwardWeights";

  private final ConvTensors tensors;
  private final long channels;
  private final float epsilon;
  private final float momentum;

  /**
   * Describes a dense convolution.
   *
   * @param shape its size; the result has at least 2 pixels
   * @param dtype storage type of src, dst and their gradients
   * @param epsilon added to the variance of the BatchNorm that follows, at least 0
   * @param momentum of that BatchNorm: running = (1-momentum)*running + momentum*batch, between 0
   *     and 1; the variance kept is the unbiased one
   * @throws IllegalArgumentException if a value is out of range or dtype is not floating
   */
  public FusedConv(ConvShape shape, DType dtype, float epsilon, float momentum) {
    String name = "FusedConv";
    this.tensors = new ConvTensors(name, shape, dtype, Activation.IDENTITY);
    NormChecks.rows(name, shape.batch() * shape.outHeight() * shape.outWidth());
    NormChecks.settings(name, epsilon, momentum);
    this.channels = shape.outChannels();
    this.epsilon = epsilon;
    this.momentum = momentum;
  }

  /**
   * The size this was made for.
   *
   * @return the size
   */
  public ConvShape shape() {
    return tensors.shape();
  }

  /**
   * Workspace that every method of this object is content with.
   *
   * @param stream a stream of the device in question
   * @return bytes, 0 if none is needed
   */
  public long workspaceBytes(Stream stream) {
    return ByteCount.of(
        "FusedConv.workspaceBytes", stream, tensors.problem(), Fusewire::fw_fused_conv_workspace);
  }

  /**
   * Computes the convolution, its statistics and its norm table.
   *
   * @param stream where it runs
   * @param src (batch, inHeight, inWidth, inChannels), taken as it is
   * @param weights (outChannels, kernelHeight, kernelWidth, inChannels)
   * @param gamma scale of the BatchNorm that follows, (outChannels)
   * @param beta its shift, (outChannels)
   * @param runningMean updated; or null together with runningVar
   * @param runningVar updated; or null together with runningMean
   * @param dst (batch, outHeight, outWidth, outChannels), overwritten; shares no memory with src
   * @param outNorm (4, outChannels), overwritten: norm table of dst
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void forward(
      Stream stream,
      Tensor src,
      Tensor weights,
      Tensor gamma,
      Tensor beta,
      Tensor runningMean,
      Tensor runningVar,
      Tensor dst,
      Tensor outNorm,
      Tensor workspace) {
    long handle = Checks.stream(FORWARD, stream);
    NormChecks.running(FORWARD, runningMean, runningVar);
    long srcAddress = tensors.src(FORWARD, "src", src, stream);
    long weightsAddress = tensors.denseWeights(FORWARD, "weights", weights, stream);
    long gammaAddress = NormChecks.vector(FORWARD, "gamma", gamma, stream, channels);
    long betaAddress = NormChecks.vector(FORWARD, "beta", beta, stream, channels);
    long runningMeanAddress =
        NormChecks.optionalVector(FORWARD, "runningMean", runningMean, stream, channels);
    long runningVarAddress =
        NormChecks.optionalVector(FORWARD, "runningVar", runningVar, stream, channels);
    long dstAddress = tensors.dst(FORWARD, "dst", dst, stream);
    long outNormAddress = NormChecks.norm(FORWARD, "outNorm", outNorm, stream, channels);
    long workspaceAddress = Checks.workspace(FORWARD, workspace, stream);
    Checks.disjoint(FORWARD, "dst", dst, "src", src);
    Status.check(
        Fusewire.fw_fused_conv_forward(
            handle,
            tensors.problem(),
            epsilon,
            momentum,
            srcAddress,
            weightsAddress,
            gammaAddress,
            betaAddress,
            runningMeanAddress,
            runningVarAddress,
            dstAddress,
            outNormAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, weights, gamma, beta);
    Checks.reachable(runningMean, runningVar, dst, outNorm);
    Checks.reachable(workspace, null, null, null);
  }

  /**
   * Computes the gradient of the weights. The gradient of dst is made from diffOut on load.
   *
   * @param stream where it runs
   * @param src as forward had it
   * @param diffOut (batch, outHeight, outWidth, outChannels), gradient of norm(dst)
   * @param dst as forward wrote it
   * @param outNorm as forward wrote it
   * @param outGradient gradient table of dst, (2, outChannels)
   * @param diffWeights (outChannels, kernelHeight, kernelWidth, inChannels), overwritten
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void backwardWeights(
      Stream stream,
      Tensor src,
      Tensor diffOut,
      Tensor dst,
      Tensor outNorm,
      Tensor outGradient,
      Tensor diffWeights,
      Tensor workspace) {
    long handle = Checks.stream(WEIGHTS, stream);
    long srcAddress = tensors.src(WEIGHTS, "src", src, stream);
    long diffOutAddress = tensors.dst(WEIGHTS, "diffOut", diffOut, stream);
    long dstAddress = tensors.dst(WEIGHTS, "dst", dst, stream);
    long outNormAddress = NormChecks.norm(WEIGHTS, "outNorm", outNorm, stream, channels);
    long outGradientAddress =
        NormChecks.gradient(WEIGHTS, "outGradient", outGradient, stream, channels);
    long diffWeightsAddress = tensors.denseWeights(WEIGHTS, "diffWeights", diffWeights, stream);
    long workspaceAddress = Checks.workspace(WEIGHTS, workspace, stream);
    Status.check(
        Fusewire.fw_fused_conv_backward_weights(
            handle,
            tensors.problem(),
            srcAddress,
            diffOutAddress,
            dstAddress,
            outNormAddress,
            outGradientAddress,
            diffWeightsAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, diffOut, dst, outNorm);
    Checks.reachable(outGradient, diffWeights, workspace, null);
  }
}
