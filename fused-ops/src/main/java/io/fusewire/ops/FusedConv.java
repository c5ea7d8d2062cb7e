// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;

/**
 * Dense convolution between two BatchNorms in training, such as that of a fused MBConv (arXiv
 * 2104.00298) or of a residual network. What it reads is a raw tensor, as it left its own
 * convolution, and is normalised and activated on load, or a plain one, such as a stem's images;
 * what it writes is raw, together with the norm table of the BatchNorm that follows.
 *
 * <pre>
 * in      = inActivation(norm(src)), 0 in the padding
 * dst     = convolution of in with weights, as {@link DenseConv} without bias and activation
 * outNorm = norm table of dst with gamma and beta
 * </pre>
 *
 * Backward takes diffOut, the gradient of norm(dst), and makes the gradient of dst on load. Tables
 * are described at {@link NormGradient}. Activations are NHWC in the storage type; everything else
 * is F32. All tensors are on the stream's device. Every method throws {@link
 * IllegalArgumentException} for a tensor that does not fit and {@link IllegalStateException} for a
 * closed one, before anything is launched. One object may serve any number of streams and threads.
 */
public final class FusedConv {
  private static final String FORWARD = "FusedConv.forward";
  private static final String DATA = "FusedConv.backwardData";
  private static final String WEIGHTS = "FusedConv.backwardWeights";

  private final ConvTensors tensors;
  private final long inChannels;
  private final long channels;
  private final float epsilon;
  private final float momentum;

  /**
   * Describes a dense convolution.
   *
   * @param shape its size; the result has at least 2 pixels
   * @param dtype storage type of src, dst and their gradients
   * @param inActivation applied to norm(src)
   * @param epsilon added to the variance of the BatchNorm that follows, at least 0
   * @param momentum of that BatchNorm: running = (1-momentum)*running + momentum*batch, between 0
   *     and 1; the variance kept is the unbiased one
   * @throws IllegalArgumentException if a value is out of range or dtype is not floating
   */
  public FusedConv(
      ConvShape shape, DType dtype, Activation inActivation, float epsilon, float momentum) {
    String name = "FusedConv";
    Checks.notNull(name, "inActivation", inActivation);
    this.tensors = new ConvTensors(name, shape, dtype, inActivation);
    NormChecks.rows(name, shape.batch() * shape.outHeight() * shape.outWidth());
    NormChecks.settings(name, epsilon, momentum);
    this.inChannels = shape.inChannels();
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
   * @param src (batch, inHeight, inWidth, inChannels), raw
   * @param inNorm norm table of src, (4, inChannels), or null: src is taken as it is
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
      Tensor inNorm,
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
    long inNormAddress = NormChecks.optionalNorm(FORWARD, "inNorm", inNorm, stream, inChannels);
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
            inNormAddress,
            weightsAddress,
            gammaAddress,
            betaAddress,
            runningMeanAddress,
            runningVarAddress,
            dstAddress,
            outNormAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, inNorm, weights, gamma);
    Checks.reachable(beta, runningMean, runningVar, dst);
    Checks.reachable(outNorm, workspace, null, null);
  }

  /**
   * Computes the gradient of inActivation(norm(src)), that is diffSrc = transposed convolution of d
   * with weights + addend, with d the gradient of dst.
   *
   * @param stream where it runs
   * @param diffOut (batch, outHeight, outWidth, outChannels), gradient of norm(dst)
   * @param imageScale (batch), multiplied with diffOut (drop-connect), or null
   * @param dst as forward wrote it
   * @param outNorm as forward wrote it
   * @param outGradient gradient table of dst, (2, outChannels)
   * @param weights (outChannels, kernelHeight, kernelWidth, inChannels)
   * @param addend (batch, inHeight, inWidth, inChannels), added to the result, or null; may be
   *     diffSrc itself
   * @param diffSrc (batch, inHeight, inWidth, inChannels), overwritten; shares no memory with
   *     diffOut or dst
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void backwardData(
      Stream stream,
      Tensor diffOut,
      Tensor imageScale,
      Tensor dst,
      Tensor outNorm,
      Tensor outGradient,
      Tensor weights,
      Tensor addend,
      Tensor diffSrc,
      Tensor workspace) {
    long handle = Checks.stream(DATA, stream);
    long diffOutAddress = tensors.dst(DATA, "diffOut", diffOut, stream);
    long imageScaleAddress = tensors.imageScale(DATA, imageScale, stream);
    long dstAddress = tensors.dst(DATA, "dst", dst, stream);
    long outNormAddress = NormChecks.norm(DATA, "outNorm", outNorm, stream, channels);
    long outGradientAddress =
        NormChecks.gradient(DATA, "outGradient", outGradient, stream, channels);
    long weightsAddress = tensors.denseWeights(DATA, "weights", weights, stream);
    long addendAddress = addend == null ? 0 : tensors.src(DATA, "addend", addend, stream);
    long diffSrcAddress = tensors.src(DATA, "diffSrc", diffSrc, stream);
    long workspaceAddress = Checks.workspace(DATA, workspace, stream);
    Checks.disjoint(DATA, "diffSrc", diffSrc, "diffOut", diffOut);
    Checks.disjoint(DATA, "diffSrc", diffSrc, "dst", dst);
    Checks.sameOrDisjoint(DATA, "diffSrc", diffSrc, "addend", addend);
    Status.check(
        Fusewire.fw_fused_conv_backward_data(
            handle,
            tensors.problem(),
            diffOutAddress,
            imageScaleAddress,
            dstAddress,
            outNormAddress,
            outGradientAddress,
            weightsAddress,
            addendAddress,
            diffSrcAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(diffOut, imageScale, dst, outNorm);
    Checks.reachable(outGradient, weights, addend, diffSrc);
    Checks.reachable(workspace, null, null, null);
  }

  /**
   * Computes the gradient of the weights. The gradient of dst is made from diffOut on load.
   *
   * @param stream where it runs
   * @param src as forward had it
   * @param inNorm as forward had it
   * @param diffOut (batch, outHeight, outWidth, outChannels), gradient of norm(dst)
   * @param imageScale (batch), multiplied with diffOut (drop-connect), or null
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
      Tensor inNorm,
      Tensor diffOut,
      Tensor imageScale,
      Tensor dst,
      Tensor outNorm,
      Tensor outGradient,
      Tensor diffWeights,
      Tensor workspace) {
    long handle = Checks.stream(WEIGHTS, stream);
    long srcAddress = tensors.src(WEIGHTS, "src", src, stream);
    long inNormAddress = NormChecks.optionalNorm(WEIGHTS, "inNorm", inNorm, stream, inChannels);
    long diffOutAddress = tensors.dst(WEIGHTS, "diffOut", diffOut, stream);
    long imageScaleAddress = tensors.imageScale(WEIGHTS, imageScale, stream);
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
            inNormAddress,
            diffOutAddress,
            imageScaleAddress,
            dstAddress,
            outNormAddress,
            outGradientAddress,
            diffWeightsAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, inNorm, diffOut, imageScale);
    Checks.reachable(dst, outNorm, outGradient, diffWeights);
    Checks.reachable(workspace, null, null, null);
  }
}
