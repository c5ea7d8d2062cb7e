// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.FusedDepthwiseProblem;
import io.fusewire.binding.Fusewire;

/**
 * Depthwise convolution between two BatchNorms in training. What it reads is a raw tensor,
 * normalised and activated on load; what it writes is raw too, together with the norm table of the
 * BatchNorm that follows.
 *
 * <pre>
 * dst     = convolution of inActivation(norm(src)) with weights, as {@link DepthwiseConv}; zeros outside
 * outNorm = norm table of dst with gamma and beta
 * </pre>
 *
 * Backward does everything behind the convolution in one pass: the activation and BatchNorm of the
 * result on load, the gradients of source and weights, and the gradient of the source's BatchNorm.
 * Tables are described at {@link NormGradient}. Activations are NHWC in the storage type;
 * everything else is F32. All tensors are on the stream's device. Every method throws {@link
 * IllegalArgumentException} for a tensor that does not fit and {@link IllegalStateException} for a
 * closed one, before anything is launched. One object may serve any number of streams and threads.
 */
public final class FusedDepthwise {
  private static final String FORWARD = "FusedDepthwise.forward";
  private static final String BACKWARD = "FusedDepthwise.backward";

  private final ConvTensors tensors;
  private final long batch;
  private final long channels;
  private final boolean plainSource;
  private final FusedDepthwiseProblem problem;

  /**
   * Describes a depthwise convolution.
   *
   * @param shape its size, with inChannels equal to outChannels; the result has at least 2 pixels
   * @param dtype storage type of src, dst and their gradients
   * @param inActivation applied to norm(src)
   * @param outActivation applied to norm(dst) by whoever reads it; {@link #backward} goes back
   *     through it
   * @param epsilon added to the variance of the BatchNorm that follows, at least 0
   * @param momentum of that BatchNorm: running = (1-momentum)*running + momentum*batch, between 0
   *     and 1; the variance kept is the unbiased one
   * @throws IllegalArgumentException if a value is out of range, the numbers of channels differ or
   *     dtype is not floating
   */
  public FusedDepthwise(
      ConvShape shape,
      DType dtype,
      Activation inActivation,
      Activation outActivation,
      float epsilon,
      float momentum) {
    String name = "FusedDepthwise";
    Checks.notNull(name, "inActivation", inActivation);
    Checks.notNull(name, "outActivation", outActivation);
    this.tensors = new ConvTensors(name, shape, dtype, inActivation);
    if (shape.inChannels() != shape.outChannels()) {
      throw new IllegalArgumentException(
          name
              + ": inChannels is "
              + shape.inChannels()
              + " and outChannels "
              + shape.outChannels()
              + ", equal ones fit");
    }
    NormChecks.rows(name, shape.batch() * shape.outHeight() * shape.outWidth());
    NormChecks.settings(name, epsilon, momentum);
    this.batch = shape.batch();
    this.channels = shape.inChannels();
    this.plainSource = inActivation == Activation.IDENTITY;
    this.problem =
        Struct.allocate(FusedDepthwiseProblem.class, FusedDepthwiseProblem::new)
            .conv(tensors.problem())
            .out_activation(outActivation.code())
            .epsilon(epsilon)
            .momentum(momentum);
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
        "FusedDepthwise.workspaceBytes", stream, problem, Fusewire::fw_fused_depthwise_workspace);
  }

  /**
   * Computes the convolution, its statistics and its norm table.
   *
   * @param stream where it runs
   * @param src (batch, inHeight, inWidth, channels), raw
   * @param inNorm norm table of src, or null: src is taken as it is
   * @param weights (kernelHeight, kernelWidth, channels)
   * @param gamma scale of the BatchNorm that follows, (channels)
   * @param beta its shift, (channels)
   * @param runningMean updated; or null together with runningVar
   * @param runningVar updated; or null together with runningMean
   * @param dst (batch, outHeight, outWidth, channels), overwritten; shares no memory with src
   * @param outNorm (4, channels), overwritten: norm table of dst
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
    long inNormAddress = NormChecks.optionalNorm(FORWARD, "inNorm", inNorm, stream, channels);
    long weightsAddress = tensors.depthwiseWeights(FORWARD, "weights", weights, stream);
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
        Fusewire.fw_fused_depthwise_forward(
            handle,
            problem,
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
   * Computes all gradients.
   *
   * @param stream where it runs
   * @param src as forward had it
   * @param inNorm as forward had it; or null, then there is no inActivation either
   * @param weights (kernelHeight, kernelWidth, channels)
   * @param dst as forward wrote it
   * @param outNorm as forward wrote it
   * @param outGradient gradient table of dst, (2, channels)
   * @param diff (batch, outHeight, outWidth, channels), gradient of outActivation(norm(dst))*gate
   * @param gate (batch, channels), or null together with poolGradient
   * @param poolGradient (batch, channels), what {@link FusedSqueezeExcite#backward} wrote; or null
   *     together with gate
   * @param diffSrc (batch, inHeight, inWidth, channels), overwritten: gradient of norm(src); shares
   *     no memory with src, dst or diff
   * @param diffWeights (kernelHeight, kernelWidth, channels), overwritten
   * @param diffGamma (channels), overwritten: of the source's BatchNorm; null where inNorm is
   * @param diffBeta (channels), overwritten; null where inNorm is
   * @param inGradient (2, channels), overwritten: gradient table of src; null where inNorm is
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void backward(
      Stream stream,
      Tensor src,
      Tensor inNorm,
      Tensor weights,
      Tensor dst,
      Tensor outNorm,
      Tensor outGradient,
      Tensor diff,
      Tensor gate,
      Tensor poolGradient,
      Tensor diffSrc,
      Tensor diffWeights,
      Tensor diffGamma,
      Tensor diffBeta,
      Tensor inGradient,
      Tensor workspace) {
    long handle = Checks.stream(BACKWARD, stream);
    if ((gate == null) != (poolGradient == null)) {
      throw new IllegalArgumentException(
          BACKWARD
              + ": "
              + (gate == null ? "gate" : "poolGradient")
              + " is null but the other is not; both or none fit");
    }
    sourceNorm(inNorm, "diffGamma", diffGamma);
    sourceNorm(inNorm, "diffBeta", diffBeta);
    sourceNorm(inNorm, "inGradient", inGradient);
    if (inNorm == null && !plainSource) {
      throw new IllegalArgumentException(
          BACKWARD + ": inNorm is null, but there is an inActivation");
    }
    long srcAddress = tensors.src(BACKWARD, "src", src, stream);
    long inNormAddress = NormChecks.optionalNorm(BACKWARD, "inNorm", inNorm, stream, channels);
    long weightsAddress = tensors.depthwiseWeights(BACKWARD, "weights", weights, stream);
    long dstAddress = tensors.dst(BACKWARD, "dst", dst, stream);
    long outNormAddress = NormChecks.norm(BACKWARD, "outNorm", outNorm, stream, channels);
    long outGradientAddress =
        NormChecks.gradient(BACKWARD, "outGradient", outGradient, stream, channels);
    long diffAddress = tensors.dst(BACKWARD, "diff", diff, stream);
    long gateAddress = Checks.optional(BACKWARD, "gate", gate, stream, DType.F32, batch, channels);
    long poolGradientAddress =
        Checks.optional(BACKWARD, "poolGradient", poolGradient, stream, DType.F32, batch, channels);
    long diffSrcAddress = tensors.src(BACKWARD, "diffSrc", diffSrc, stream);
    long diffWeightsAddress =
        tensors.depthwiseWeights(BACKWARD, "diffWeights", diffWeights, stream);
    long diffGammaAddress =
        NormChecks.optionalVector(BACKWARD, "diffGamma", diffGamma, stream, channels);
    long diffBetaAddress =
        NormChecks.optionalVector(BACKWARD, "diffBeta", diffBeta, stream, channels);
    long inGradientAddress =
        Checks.optional(BACKWARD, "inGradient", inGradient, stream, DType.F32, 2, channels);
    long workspaceAddress = Checks.workspace(BACKWARD, workspace, stream);
    Checks.disjoint(BACKWARD, "diffSrc", diffSrc, "src", src);
    Checks.disjoint(BACKWARD, "diffSrc", diffSrc, "dst", dst);
    Checks.disjoint(BACKWARD, "diffSrc", diffSrc, "diff", diff);
    Status.check(
        Fusewire.fw_fused_depthwise_backward(
            handle,
            problem,
            srcAddress,
            inNormAddress,
            weightsAddress,
            dstAddress,
            outNormAddress,
            outGradientAddress,
            diffAddress,
            gateAddress,
            poolGradientAddress,
            diffSrcAddress,
            diffWeightsAddress,
            diffGammaAddress,
            diffBetaAddress,
            inGradientAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, inNorm, weights, dst);
    Checks.reachable(outNorm, outGradient, diff, gate);
    Checks.reachable(poolGradient, diffSrc, diffWeights, diffGamma);
    Checks.reachable(diffBeta, inGradient, workspace, null);
  }

  private static void sourceNorm(Tensor inNorm, String name, Tensor tensor) {
    if ((inNorm == null) != (tensor == null)) {
      throw new IllegalArgumentException(
          BACKWARD
              + ": "
              + (inNorm == null ? "inNorm" : name)
              + " is null but "
              + (inNorm == null ? name : "inNorm")
              + " is not; both or none fit");
    }
  }
}
