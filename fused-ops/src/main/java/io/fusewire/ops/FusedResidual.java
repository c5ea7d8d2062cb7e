// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.FusedResidualProblem;
import io.fusewire.binding.Fusewire;
import io.fusewire.binding.ResidualProblem;

/**
 * Residual sum of raw tensors with drop-connect (arXiv 1603.09382) in training.
 *
 * <pre>
 * sum = activation(norm(branch)) * imageScale + skipActivation(skipNorm(skip))
 * dst = outActivation(sum)
 * </pre>
 *
 * imageScale is what {@link #scales} draws: keep/(1-dropRate), keep being 0 or 1, once per image.
 * An inverted residual block has neither of the last two activations, a residual network (arXiv
 * 1512.03385) has ReLU after the sum. The gradient of the sum is that of the skip, and whoever
 * reads the branch's takes imageScale along: so backward needs an operation only where an
 * activation follows the sum. With null for norms and scales this is also the residual of
 * inference. Tables are described at {@link NormGradient}. Activations are (batch, pixels...,
 * channels) in the storage type, with any number of pixel axes; everything else is F32. All tensors
 * are on the stream's device. Every method throws {@link IllegalArgumentException} for a tensor
 * that does not fit and {@link IllegalStateException} for a closed one, before anything is
 * launched. One object may serve any number of streams and threads.
 */
public final class FusedResidual {
  private static final String SCALES = "FusedResidual.scales";
  private static final String FORWARD = "FusedResidual.forward";
  private static final String BACKWARD = "FusedResidual.backward";

  private final long batch;
  private final float dropRate;
  private final NormedTensors tensors;
  private final ResidualProblem drop;
  private final FusedResidualProblem problem;

  /**
   * Describes a residual sum.
   *
   * @param batch images, 0 allowed
   * @param pixels height*width
   * @param channels channels
   * @param dtype storage type of branch, skip and dst
   * @param activation applied to norm(branch)
   * @param dropRate probability of dropping an image's branch, at least 0 and less than 1
   * @param layer number of the random stream, different for every layer of a network
   * @throws IllegalArgumentException if a value is out of range or dtype is not floating
   */
  public FusedResidual(
      long batch,
      long pixels,
      long channels,
      DType dtype,
      Activation activation,
      float dropRate,
      int layer) {
    this(
        batch,
        pixels,
        channels,
        dtype,
        activation,
        Activation.IDENTITY,
        Activation.IDENTITY,
        dropRate,
        layer);
  }

  /**
   * Describes a residual sum with activations of the skip and after the sum.
   *
   * @param batch images, 0 allowed
   * @param pixels height*width
   * @param channels channels
   * @param dtype storage type of branch, skip and dst
   * @param activation applied to norm(branch)
   * @param skipActivation applied to skipNorm(skip)
   * @param outActivation applied to the sum
   * @param dropRate probability of dropping an image's branch, at least 0 and less than 1
   * @param layer number of the random stream, different for every layer of a network
   * @throws IllegalArgumentException if a value is out of range or dtype is not floating
   */
  public FusedResidual(
      long batch,
      long pixels,
      long channels,
      DType dtype,
      Activation activation,
      Activation skipActivation,
      Activation outActivation,
      float dropRate,
      int layer) {
    String name = "FusedResidual";
    Checks.notNull(name, "skipActivation", skipActivation);
    Checks.notNull(name, "outActivation", outActivation);
    this.tensors = new NormedTensors(name, batch, pixels, channels, dtype, activation);
    this.problem =
        Struct.allocate(FusedResidualProblem.class, FusedResidualProblem::new)
            .branch(tensors.problem())
            .skip_activation(skipActivation.code())
            .out_activation(outActivation.code());
    this.batch = batch;
    this.dropRate = Checks.rate(name, "dropRate", dropRate);
    this.drop =
        Struct.allocate(ResidualProblem.class, ResidualProblem::new)
            .dtype(dtype.code())
            .layer(layer)
            .batch(batch)
            .elements(1)
            .drop_rate(dropRate);
  }

  /**
   * Draws the images' scales, with the numbers of {@link Residual}.
   *
   * @param stream where it runs
   * @param step the training step; null only if dropRate is 0
   * @param imageScale (batch), overwritten
   */
  public void scales(Stream stream, StepState step, Tensor imageScale) {
    long handle = Checks.stream(SCALES, stream);
    long stepAddress = StepState.address(SCALES, step, stream, dropRate > 0);
    long imageScaleAddress =
        Checks.tensor(SCALES, "imageScale", imageScale, stream, DType.F32, batch);
    Status.check(Fusewire.fw_drop_connect_scales(handle, drop, stepAddress, imageScaleAddress));
    Checks.reachable(step, imageScale, null, null);
  }

  /**
   * Computes the sum.
   *
   * @param stream where it runs
   * @param branch (batch, pixels..., channels), raw
   * @param norm norm table of branch, or null: branch is taken as it is
   * @param imageScale (batch), or null for ones
   * @param skip (batch, pixels..., channels)
   * @param skipNorm norm table of skip, or null: skip is taken as it is
   * @param dst (batch, pixels..., channels), overwritten; may be branch or skip itself
   */
  public void forward(
      Stream stream,
      Tensor branch,
      Tensor norm,
      Tensor imageScale,
      Tensor skip,
      Tensor skipNorm,
      Tensor dst) {
    long handle = Checks.stream(FORWARD, stream);
    long branchAddress = tensors.pixels(FORWARD, "branch", branch, stream);
    long normAddress = tensors.optionalNorm(FORWARD, "norm", norm, stream);
    long imageScaleAddress = tensors.imageScale(FORWARD, imageScale, stream);
    long skipAddress = tensors.pixels(FORWARD, "skip", skip, stream);
    long skipNormAddress = tensors.optionalNorm(FORWARD, "skipNorm", skipNorm, stream);
    long dstAddress = tensors.pixels(FORWARD, "dst", dst, stream);
    Checks.sameOrDisjoint(FORWARD, "dst", dst, "branch", branch);
    Checks.sameOrDisjoint(FORWARD, "dst", dst, "skip", skip);
    Status.check(
        Fusewire.fw_fused_residual_forward(
            handle,
            problem,
            branchAddress,
            normAddress,
            imageScaleAddress,
            skipAddress,
            skipNormAddress,
            dstAddress));
    Checks.reachable(branch, norm, imageScale, skip);
    Checks.reachable(skipNorm, dst, null, null);
  }

  /**
   * Computes the gradient of the sum from that of dst and from dst itself: diffDst where dst &gt; 0
   * (and &lt; 6 for ReLU6), else 0; diffDst where no activation follows the sum.
   *
   * @param stream where it runs
   * @param dst as forward wrote it
   * @param diffDst (batch, pixels..., channels), gradient of dst
   * @param diffSum (batch, pixels..., channels), overwritten; may be diffDst or dst itself
   * @throws UnsupportedException if SiLU follows the sum, whose derivative dst does not tell
   */
  public void backward(Stream stream, Tensor dst, Tensor diffDst, Tensor diffSum) {
    long handle = Checks.stream(BACKWARD, stream);
    long dstAddress = tensors.pixels(BACKWARD, "dst", dst, stream);
    long diffDstAddress = tensors.pixels(BACKWARD, "diffDst", diffDst, stream);
    long diffSumAddress = tensors.pixels(BACKWARD, "diffSum", diffSum, stream);
    Checks.sameOrDisjoint(BACKWARD, "diffSum", diffSum, "dst", dst);
    Checks.sameOrDisjoint(BACKWARD, "diffSum", diffSum, "diffDst", diffDst);
    Status.check(
        Fusewire.fw_fused_residual_backward(
            handle, problem, dstAddress, diffDstAddress, diffSumAddress));
    Checks.reachable(dst, diffDst, diffSum, null);
  }
}
