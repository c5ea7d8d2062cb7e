// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;

/**
 * Mean over the pixels of a raw tensor that is normalised and activated on load, (batch, pixels...,
 * channels) in the storage type to (batch, channels) in F32, and its way back through activation
 * and BatchNorm. Tables are described at {@link NormGradient}. All tensors are on the stream's
 * device. Every method throws {@link IllegalArgumentException} for a tensor that does not fit and
 * {@link IllegalStateException} for a closed one, before anything is launched. One object may serve
 * any number of streams and threads.
 */
public final class FusedMeanPool {
  private static final String FORWARD = "FusedMeanPool.forward";
  private static final String BACKWARD = "FusedMeanPool.backward";

  private final NormedTensors tensors;

  /**
   * Describes a mean over pixels.
   *
   * @param batch images, 0 allowed
   * @param pixels height*width
   * @param channels channels
   * @param dtype storage type of src and its gradient
   * @param activation applied to norm(src)
   * @throws IllegalArgumentException if a size is out of range or dtype is not floating
   */
  public FusedMeanPool(long batch, long pixels, long channels, DType dtype, Activation activation) {
    this.tensors = new NormedTensors("FusedMeanPool", batch, pixels, channels, dtype, activation);
  }

  /**
   * Workspace that every method of this object is content with.
   *
   * @param stream a stream of the device in question
   * @return bytes, 0 if none is needed
   */
  public long workspaceBytes(Stream stream) {
    return ByteCount.of(
        "FusedMeanPool.workspaceBytes", stream, tensors.problem(), Fusewire::fw_normed_workspace);
  }

  /**
   * Computes the means of activation(norm(src)).
   *
   * @param stream where it runs
   * @param src (batch, pixels..., channels), raw
   * @param norm norm table of src, or null: src is taken as it is
   * @param pooled (batch, channels), F32, overwritten
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void forward(Stream stream, Tensor src, Tensor norm, Tensor pooled, Tensor workspace) {
    long handle = Checks.stream(FORWARD, stream);
    long srcAddress = tensors.pixels(FORWARD, "src", src, stream);
    long normAddress = tensors.optionalNorm(FORWARD, "norm", norm, stream);
    long pooledAddress = tensors.pooled(FORWARD, "pooled", pooled, stream);
    long workspaceAddress = Checks.workspace(FORWARD, workspace, stream);
    Status.check(
        Fusewire.fw_fused_mean_pool_forward(
            handle,
            tensors.problem(),
            srcAddress,
            normAddress,
            pooledAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, norm, pooled, workspace);
  }

  /**
   * Computes diffSrc = diffPooled/pixels * activation'(norm(src)) and the gradient of the
   * BatchNorm.
   *
   * @param stream where it runs
   * @param src as forward had it
   * @param norm as forward had it, but not null
   * @param diffPooled (batch, channels), F32
   * @param diffSrc (batch, pixels..., channels), overwritten: gradient of norm(src); shares no
   *     memory with src
   * @param diffGamma (channels), overwritten
   * @param diffBeta (channels), overwritten
   * @param gradient (2, channels), overwritten: gradient table of src
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void backward(
      Stream stream,
      Tensor src,
      Tensor norm,
      Tensor diffPooled,
      Tensor diffSrc,
      Tensor diffGamma,
      Tensor diffBeta,
      Tensor gradient,
      Tensor workspace) {
    long handle = Checks.stream(BACKWARD, stream);
    long srcAddress = tensors.pixels(BACKWARD, "src", src, stream);
    long normAddress = tensors.norm(BACKWARD, "norm", norm, stream);
    long diffPooledAddress = tensors.pooled(BACKWARD, "diffPooled", diffPooled, stream);
    long diffSrcAddress = tensors.pixels(BACKWARD, "diffSrc", diffSrc, stream);
    long diffGammaAddress = tensors.vector(BACKWARD, "diffGamma", diffGamma, stream);
    long diffBetaAddress = tensors.vector(BACKWARD, "diffBeta", diffBeta, stream);
    long gradientAddress = tensors.gradient(BACKWARD, gradient, stream);
    long workspaceAddress = Checks.workspace(BACKWARD, workspace, stream);
    Checks.disjoint(BACKWARD, "diffSrc", diffSrc, "src", src);
    Status.check(
        Fusewire.fw_fused_mean_pool_backward(
            handle,
            tensors.problem(),
            srcAddress,
            normAddress,
            diffPooledAddress,
            diffSrcAddress,
            diffGammaAddress,
            diffBetaAddress,
            gradientAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, norm, diffPooled, diffSrc);
    Checks.reachable(diffGamma, diffBeta, gradient, workspace);
  }
}
