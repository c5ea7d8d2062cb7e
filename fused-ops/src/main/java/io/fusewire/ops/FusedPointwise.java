// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.FusedPointwiseProblem;
import io.fusewire.binding.Fusewire;

/**
 * Pointwise (1x1) convolution between two BatchNorms in training. What it reads is a raw tensor, as
 * it left its own convolution, and is normalised, activated and gated on load; what it writes is
 * raw too, together with the norm table of the BatchNorm that follows.
 *
 * <pre>
 * in      = inActivation(norm(src)) * gate
 * dst     = in * transpose(weights)
 * outNorm = norm table of dst with gamma and beta
 * </pre>
 *
 * Backward takes diffOut, the gradient of norm(dst), and makes the gradient of dst on load. Tables
 * are described at {@link NormGradient}. Activations are (batch, pixels..., channels) in the
 * storage type, with any number of pixel axes; everything else is F32. All tensors are on the
 * stream's device. Every method throws {@link IllegalArgumentException} for a tensor that does not
 * fit and {@link IllegalStateException} for a closed one, before anything is launched. One object
 * may serve any number of streams and threads.
 */
public final class FusedPointwise {
  private static final String FORWARD = "FusedPointwise.forward";
  private static final String DATA = "FusedPointwise.backwardData";
  private static final String WEIGHTS = "FusedPointwise.backwardWeights";
  private static final String BOTH = "FusedPointwise.backward";

  private final long batch;
  private final long pixels;
  private final long inChannels;
  private final long outChannels;
  private final DType dtype;
  private final FusedPointwiseProblem problem;

  /**
   * Describes a pointwise convolution.
   *
   * @param batch images
   * @param pixels height*width; batch*pixels is at least 2
   * @param inChannels channels of src
   * @param outChannels channels of dst
   * @param dtype storage type of src, dst and their gradients
   * @param inActivation applied to norm(src)
   * @param epsilon added to the variance of the BatchNorm that follows, at least 0
   * @param momentum of that BatchNorm: running = (1-momentum)*running + momentum*batch, between 0
   *     and 1; the variance kept is the unbiased one
   * @throws IllegalArgumentException if a value is out of range or dtype is not floating
   */
  public FusedPointwise(
      long batch,
      long pixels,
      long inChannels,
      long outChannels,
      DType dtype,
      Activation inActivation,
      float epsilon,
      float momentum) {
    String name = "FusedPointwise";
    this.batch = Checks.positive(name, "batch", batch);
    this.pixels = Checks.positive(name, "pixels", pixels);
    this.inChannels = Checks.positive(name, "inChannels", inChannels);
    this.outChannels = Checks.positive(name, "outChannels", outChannels);
    this.dtype = Checks.floating(name, dtype);
    Checks.notNull(name, "inActivation", inActivation);
    Checks.product(name, "src", 4, batch, pixels, inChannels);
    Checks.product(name, "dst", 4, batch, pixels, outChannels);
    Checks.product(name, "weights", 4, inChannels, outChannels);
    NormChecks.rows(name, batch * pixels);
    NormChecks.settings(name, epsilon, momentum);
    NativeLibrary.load();
    this.problem =
        Struct.allocate(FusedPointwiseProblem.class, FusedPointwiseProblem::new)
            .dtype(dtype.code())
            .in_activation(inActivation.code())
            .batch(batch)
            .pixels(pixels)
            .in_channels(inChannels)
            .out_channels(outChannels)
            .epsilon(epsilon)
            .momentum(momentum);
  }

  /**
   * Workspace that every method of this object is content with.
   *
   * @param stream a stream of the device in question
   * @return bytes, 0 if none is needed
   */
  public long workspaceBytes(Stream stream) {
    return ByteCount.of(
        "FusedPointwise.workspaceBytes", stream, problem, Fusewire::fw_fused_pointwise_workspace);
  }

  /**
   * Computes the product, its statistics and its norm table.
   *
   * @param stream where it runs
   * @param src (batch, pixels..., inChannels), raw
   * @param inNorm norm table of src, or null: src is taken as it is
   * @param gate (batch, inChannels), multiplied with the activated value, or null
   * @param weights (outChannels, inChannels)
   * @param gamma scale of the BatchNorm that follows, (outChannels)
   * @param beta its shift, (outChannels)
   * @param runningMean updated; or null together with runningVar
   * @param runningVar updated; or null together with runningMean
   * @param dst (batch, pixels..., outChannels), overwritten; shares no memory with src
   * @param outNorm (4, outChannels), overwritten: norm table of dst
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void forward(
      Stream stream,
      Tensor src,
      Tensor inNorm,
      Tensor gate,
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
    long srcAddress =
        Checks.batchRows(FORWARD, "src", src, stream, dtype, batch, pixels, inChannels);
    long inNormAddress = NormChecks.optionalNorm(FORWARD, "inNorm", inNorm, stream, inChannels);
    long gateAddress = Checks.optional(FORWARD, "gate", gate, stream, DType.F32, batch, inChannels);
    long weightsAddress =
        Checks.tensor(FORWARD, "weights", weights, stream, DType.F32, outChannels, inChannels);
    long gammaAddress = NormChecks.vector(FORWARD, "gamma", gamma, stream, outChannels);
    long betaAddress = NormChecks.vector(FORWARD, "beta", beta, stream, outChannels);
    long runningMeanAddress =
        NormChecks.optionalVector(FORWARD, "runningMean", runningMean, stream, outChannels);
    long runningVarAddress =
        NormChecks.optionalVector(FORWARD, "runningVar", runningVar, stream, outChannels);
    long dstAddress =
        Checks.batchRows(FORWARD, "dst", dst, stream, dtype, batch, pixels, outChannels);
    long outNormAddress = NormChecks.norm(FORWARD, "outNorm", outNorm, stream, outChannels);
    long workspaceAddress = Checks.workspace(FORWARD, workspace, stream);
    Checks.disjoint(FORWARD, "dst", dst, "src", src);
    Status.check(
        Fusewire.fw_fused_pointwise_forward(
            handle,
            problem,
            srcAddress,
            inNormAddress,
            gateAddress,
            weightsAddress,
            gammaAddress,
            betaAddress,
            runningMeanAddress,
            runningVarAddress,
            dstAddress,
            outNormAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, inNorm, gate, weights);
    Checks.reachable(gamma, beta, runningMean, runningVar);
    Checks.reachable(dst, outNorm, workspace, null);
  }

  /**
   * Computes the gradient of inActivation(norm(src))*gate, that is diffSrc = d * weights + addend,
   * with d the gradient of dst.
   *
   * @param stream where it runs
   * @param diffOut (batch, pixels..., outChannels), gradient of norm(dst)
   * @param imageScale (batch), multiplied with diffOut (drop-connect), or null
   * @param dst as forward wrote it
   * @param outNorm as forward wrote it
   * @param outGradient gradient table of dst, (2, outChannels)
   * @param weights (outChannels, inChannels)
   * @param addend (batch, pixels..., inChannels), added to the result, or null; may be diffSrc
   *     itself
   * @param diffSrc (batch, pixels..., inChannels), overwritten; shares no memory with diffOut or
   *     dst
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
    long diffOutAddress =
        Checks.batchRows(DATA, "diffOut", diffOut, stream, dtype, batch, pixels, outChannels);
    long imageScaleAddress =
        Checks.optional(DATA, "imageScale", imageScale, stream, DType.F32, batch);
    long dstAddress = Checks.batchRows(DATA, "dst", dst, stream, dtype, batch, pixels, outChannels);
    long outNormAddress = NormChecks.norm(DATA, "outNorm", outNorm, stream, outChannels);
    long outGradientAddress =
        NormChecks.gradient(DATA, "outGradient", outGradient, stream, outChannels);
    long weightsAddress =
        Checks.tensor(DATA, "weights", weights, stream, DType.F32, outChannels, inChannels);
    long addendAddress =
        addend == null
            ? 0
            : Checks.batchRows(DATA, "addend", addend, stream, dtype, batch, pixels, inChannels);
    long diffSrcAddress =
        Checks.batchRows(DATA, "diffSrc", diffSrc, stream, dtype, batch, pixels, inChannels);
    long workspaceAddress = Checks.workspace(DATA, workspace, stream);
    Checks.disjoint(DATA, "diffSrc", diffSrc, "diffOut", diffOut);
    Checks.disjoint(DATA, "diffSrc", diffSrc, "dst", dst);
    Checks.sameOrDisjoint(DATA, "diffSrc", diffSrc, "addend", addend);
    Status.check(
        Fusewire.fw_fused_pointwise_backward_data(
            handle,
            problem,
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
   * Computes the gradient of the weights.
   *
   * @param stream where it runs
   * @param src as forward had it
   * @param inNorm as forward had it, or null
   * @param gate as forward had it, or null
   * @param diffOut (batch, pixels..., outChannels), gradient of norm(dst)
   * @param imageScale (batch), multiplied with diffOut (drop-connect), or null
   * @param dst as forward wrote it
   * @param outNorm as forward wrote it
   * @param outGradient gradient table of dst, (2, outChannels)
   * @param diffWeights (outChannels, inChannels), overwritten
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void backwardWeights(
      Stream stream,
      Tensor src,
      Tensor inNorm,
      Tensor gate,
      Tensor diffOut,
      Tensor imageScale,
      Tensor dst,
      Tensor outNorm,
      Tensor outGradient,
      Tensor diffWeights,
      Tensor workspace) {
    long handle = Checks.stream(WEIGHTS, stream);
    long srcAddress =
        Checks.batchRows(WEIGHTS, "src", src, stream, dtype, batch, pixels, inChannels);
    long inNormAddress = NormChecks.optionalNorm(WEIGHTS, "inNorm", inNorm, stream, inChannels);
    long gateAddress = Checks.optional(WEIGHTS, "gate", gate, stream, DType.F32, batch, inChannels);
    long diffOutAddress =
        Checks.batchRows(WEIGHTS, "diffOut", diffOut, stream, dtype, batch, pixels, outChannels);
    long imageScaleAddress =
        Checks.optional(WEIGHTS, "imageScale", imageScale, stream, DType.F32, batch);
    long dstAddress =
        Checks.batchRows(WEIGHTS, "dst", dst, stream, dtype, batch, pixels, outChannels);
    long outNormAddress = NormChecks.norm(WEIGHTS, "outNorm", outNorm, stream, outChannels);
    long outGradientAddress =
        NormChecks.gradient(WEIGHTS, "outGradient", outGradient, stream, outChannels);
    long diffWeightsAddress =
        Checks.tensor(
            WEIGHTS, "diffWeights", diffWeights, stream, DType.F32, outChannels, inChannels);
    long workspaceAddress = Checks.workspace(WEIGHTS, workspace, stream);
    Status.check(
        Fusewire.fw_fused_pointwise_backward_weights(
            handle,
            problem,
            srcAddress,
            inNormAddress,
            gateAddress,
            diffOutAddress,
            imageScaleAddress,
            dstAddress,
            outNormAddress,
            outGradientAddress,
            diffWeightsAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, inNorm, gate, diffOut);
    Checks.reachable(imageScale, dst, outNorm, outGradient);
    Checks.reachable(diffWeights, workspace, null, null);
  }

  /**
   * Computes both gradients, as {@link #backwardData} and {@link #backwardWeights} do up to
   * rounding, in one pass over diffOut and dst where the device has room for it (a CPU has).
   *
   * @param stream where it runs
   * @param src as forward had it
   * @param inNorm as forward had it, or null
   * @param gate as forward had it, or null
   * @param diffOut (batch, pixels..., outChannels), gradient of norm(dst)
   * @param imageScale (batch), multiplied with diffOut (drop-connect), or null
   * @param dst as forward wrote it
   * @param outNorm as forward wrote it
   * @param outGradient gradient table of dst, (2, outChannels)
   * @param weights (outChannels, inChannels)
   * @param addend (batch, pixels..., inChannels), added to diffSrc, or null; may be diffSrc itself
   * @param diffSrc (batch, pixels..., inChannels), overwritten; shares no memory with src, diffOut
   *     or dst
   * @param diffWeights (outChannels, inChannels), overwritten
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void backward(
      Stream stream,
      Tensor src,
      Tensor inNorm,
      Tensor gate,
      Tensor diffOut,
      Tensor imageScale,
      Tensor dst,
      Tensor outNorm,
      Tensor outGradient,
      Tensor weights,
      Tensor addend,
      Tensor diffSrc,
      Tensor diffWeights,
      Tensor workspace) {
    long handle = Checks.stream(BOTH, stream);
    long srcAddress = Checks.batchRows(BOTH, "src", src, stream, dtype, batch, pixels, inChannels);
    long inNormAddress = NormChecks.optionalNorm(BOTH, "inNorm", inNorm, stream, inChannels);
    long gateAddress = Checks.optional(BOTH, "gate", gate, stream, DType.F32, batch, inChannels);
    long diffOutAddress =
        Checks.batchRows(BOTH, "diffOut", diffOut, stream, dtype, batch, pixels, outChannels);
    long imageScaleAddress =
        Checks.optional(BOTH, "imageScale", imageScale, stream, DType.F32, batch);
    long dstAddress = Checks.batchRows(BOTH, "dst", dst, stream, dtype, batch, pixels, outChannels);
    long outNormAddress = NormChecks.norm(BOTH, "outNorm", outNorm, stream, outChannels);
    long outGradientAddress =
        NormChecks.gradient(BOTH, "outGradient", outGradient, stream, outChannels);
    long weightsAddress =
        Checks.tensor(BOTH, "weights", weights, stream, DType.F32, outChannels, inChannels);
    long addendAddress =
        addend == null
            ? 0
            : Checks.batchRows(BOTH, "addend", addend, stream, dtype, batch, pixels, inChannels);
    long diffSrcAddress =
        Checks.batchRows(BOTH, "diffSrc", diffSrc, stream, dtype, batch, pixels, inChannels);
    long diffWeightsAddress =
        Checks.tensor(BOTH, "diffWeights", diffWeights, stream, DType.F32, outChannels, inChannels);
    long workspaceAddress = Checks.workspace(BOTH, workspace, stream);
    Checks.disjoint(BOTH, "diffSrc", diffSrc, "src", src);
    Checks.disjoint(BOTH, "diffSrc", diffSrc, "diffOut", diffOut);
    Checks.disjoint(BOTH, "diffSrc", diffSrc, "dst", dst);
    Checks.sameOrDisjoint(BOTH, "diffSrc", diffSrc, "addend", addend);
    Status.check(
        Fusewire.fw_fused_pointwise_backward(
            handle,
            problem,
            srcAddress,
            inNormAddress,
            gateAddress,
            diffOutAddress,
            imageScaleAddress,
            dstAddress,
            outNormAddress,
            outGradientAddress,
            weightsAddress,
            addendAddress,
            diffSrcAddress,
            diffWeightsAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, inNorm, gate, diffOut);
    Checks.reachable(imageScale, dst, outNorm, outGradient);
    Checks.reachable(weights, addend, diffSrc, diffWeights);
    Checks.reachable(workspace, null, null, null);
  }
}
