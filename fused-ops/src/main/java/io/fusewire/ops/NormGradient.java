// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;

/**
 * The gradient of a BatchNorm that is applied on load, where no other operation makes it on its
 * way.
 *
 * <p>In fused training BatchNorm is never an operation of its own. A convolution writes its result
 * x raw, together with a norm table; whoever reads x takes act((x-mean)*scale+shift). Two tables
 * describe it, F32:
 *
 * <ul>
 *   <li>norm (4, channels): mean, 1/std, scale = gamma/std, shift = beta; norm(x) is
 *       (x-mean)*scale+shift, with the batch's own statistics
 *   <li>gradient (2, channels): slope and offset; with g the gradient of norm(x), the gradient of x
 *       is scale*g + slope*(x-mean) + offset (arXiv 1502.03167, its two means worked in)
 * </ul>
 *
 * This operation makes the second table from diff, the gradient of activation(norm(src)):
 *
 * <pre>
 * g         = imageScale * diff * activation'(norm(src))
 * diffBeta  = sum of g
 * diffGamma = sum of g * (src-mean)/std
 * </pre>
 *
 * and g itself where it is asked for: the operations behind a convolution take the gradient of
 * norm(dst), those before it leave that of activation(norm(dst)).
 *
 * <p>Activations are (batch, pixels..., channels) in the storage type, with any number of pixel
 * axes; everything else is F32. All tensors are on the stream's device. Every method throws {@link
 * IllegalArgumentException} for a tensor that does not fit and {@link IllegalStateException} for a
 * closed one, before anything is launched. One object may serve any number of streams and threads.
 */
public final class NormGradient {
  private static final String RUN = "NormGradient.run";

  private final NormedTensors tensors;

  /**
   * Describes a normalised tensor.
   *
   * @param batch images, 0 allowed
   * @param pixels height*width
   * @param channels channels
   * @param dtype storage type of src and its gradient
   * @param activation applied to norm(src)
   * @throws IllegalArgumentException if a size is out of range or dtype is not floating
   */
  public NormGradient(long batch, long pixels, long channels, DType dtype, Activation activation) {
    this.tensors = new NormedTensors("NormGradient", batch, pixels, channels, dtype, activation);
  }

  /**
   * Workspace that every method of this object is content with.
   *
   * @param stream a stream of the device in question
   * @return bytes, 0 if none is needed
   */
  public long workspaceBytes(Stream stream) {
    return ByteCount.of(
        "NormGradient.workspaceBytes", stream, tensors.problem(), Fusewire::fw_normed_workspace);
  }

  /**
   * Computes the gradients of gamma and beta, and the gradient table.
   *
   * @param stream where it runs
   * @param src (batch, pixels..., channels), raw
   * @param norm norm table of src
   * @param diff (batch, pixels..., channels), gradient of activation(norm(src)) before imageScale
   * @param imageScale (batch), or null for ones
   * @param diffGamma (channels), overwritten
   * @param diffBeta (channels), overwritten
   * @param gradient (2, channels), overwritten: gradient table of src
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void run(
      Stream stream,
      Tensor src,
      Tensor norm,
      Tensor diff,
      Tensor imageScale,
      Tensor diffGamma,
      Tensor diffBeta,
      Tensor gradient,
      Tensor workspace) {
    run(stream, src, norm, diff, imageScale, null, diffGamma, diffBeta, gradient, workspace);
  }

  /**
   * Computes the same, and writes g.
   *
   * @param stream where it runs
   * @param src (batch, pixels..., channels), raw
   * @param norm norm table of src
   * @param diff (batch, pixels..., channels), gradient of activation(norm(src)) before imageScale
   * @param imageScale (batch), or null for ones
   * @param diffNorm (batch, pixels..., channels), overwritten: g, the gradient of norm(src) with
   *     imageScale; may be diff itself; or null
   * @param diffGamma (channels), overwritten
   * @param diffBeta (channels), overwritten
   * @param gradient (2, channels), overwritten: gradient table of src
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void run(
      Stream stream,
      Tensor src,
      Tensor norm,
      Tensor diff,
      Tensor imageScale,
      Tensor diffNorm,
      Tensor diffGamma,
      Tensor diffBeta,
      Tensor gradient,
      Tensor workspace) {
    long handle = Checks.stream(RUN, stream);
    long srcAddress = tensors.pixels(RUN, "src", src, stream);
    long normAddress = tensors.norm(RUN, "norm", norm, stream);
    long diffAddress = tensors.pixels(RUN, "diff", diff, stream);
    long imageScaleAddress = tensors.imageScale(RUN, imageScale, stream);
    long diffNormAddress = diffNorm == null ? 0 : tensors.pixels(RUN, "diffNorm", diffNorm, stream);
    long diffGammaAddress = tensors.vector(RUN, "diffGamma", diffGamma, stream);
    long diffBetaAddress = tensors.vector(RUN, "diffBeta", diffBeta, stream);
    long gradientAddress = tensors.gradient(RUN, gradient, stream);
    long workspaceAddress = Checks.workspace(RUN, workspace, stream);
    Checks.sameOrDisjoint(RUN, "diffNorm", diffNorm, "diff", diff);
    Checks.disjoint(RUN, "diffNorm", diffNorm, "src", src);
    Status.check(
        Fusewire.fw_norm_gradient(
            handle,
            tensors.problem(),
            srcAddress,
            normAddress,
            diffAddress,
            imageScaleAddress,
            diffNormAddress,
            diffGammaAddress,
            diffBetaAddress,
            gradientAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, norm, diff, imageScale);
    Checks.reachable(diffGamma, diffBeta, gradient, workspace);
    Checks.reachable(diffNorm, null, null, null);
  }
}
