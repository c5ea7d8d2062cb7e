// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import io.fusewire.binding.MeanPoolProblem;

/**
 * Mean over the pixels of every image and channel: (batch, pixels..., channels) in the storage type
 * to (batch, channels) in F32. All tensors are on the stream's device. Every method throws {@link
 * IllegalArgumentException} for a tensor that does not fit and {@link IllegalStateException} for a
 * closed one, before anything is launched. One object may serve any number of streams and threads.
 */
public final class MeanPool {
  private static final String FORWARD = "MeanPool.forward";
  private static final String BACKWARD = "MeanPool.backward";

  private final long batch;
  private final long pixels;
  private final long channels;
  private final DType dtype;
  private final MeanPoolProblem problem;

  /**
   * Describes a mean over pixels.
   *
   * @param batch images, 0 allowed
   * @param pixels height*width
   * @param channels channels
   * @param dtype storage type of src and its gradient
   * @throws IllegalArgumentException if a size is out of range or dtype is not floating
   */
  public MeanPool(long batch, long pixels, long channels, DType dtype) {
    String name = "MeanPool";
    this.batch = Checks.notNegative(name, "batch", batch);
    this.pixels = Checks.positive(name, "pixels", pixels);
    this.channels = Checks.positive(name, "channels", channels);
    this.dtype = Checks.floating(name, dtype);
    Checks.product(name, "src", 4, Math.max(batch, 1), pixels, channels);
    NativeLibrary.load();
    this.problem =
        Struct.allocate(MeanPoolProblem.class, MeanPoolProblem::new)
            .dtype(dtype.code())
            .batch(batch)
            .pixels(pixels)
            .channels(channels);
  }

  /**
   * Workspace that every method of this object is content with.
   *
   * @param stream a stream of the device in question
   * @return bytes, 0 if none is needed
   */
  public long workspaceBytes(Stream stream) {
    return ByteCount.of(
        "MeanPool.workspaceBytes", stream, problem, Fusewire::fw_mean_pool_workspace);
  }

  /**
   * Computes the means.
   *
   * @param stream where it runs
   * @param src (batch, pixels..., channels)
   * @param dst (batch, channels), F32, overwritten
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void forward(Stream stream, Tensor src, Tensor dst, Tensor workspace) {
    long handle = Checks.stream(FORWARD, stream);
    long srcAddress = pixels(FORWARD, "src", src, stream);
    long dstAddress = Checks.tensor(FORWARD, "dst", dst, stream, DType.F32, batch, channels);
    long workspaceAddress = Checks.workspace(FORWARD, workspace, stream);
    Checks.disjoint(FORWARD, "dst", dst, "src", src);
    Status.check(
        Fusewire.fw_mean_pool_forward(
            handle,
            problem,
            srcAddress,
            dstAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, dst, workspace, null);
  }

  /**
   * Spreads the gradient over the pixels: diffSrc = diffDst / pixels.
   *
   * @param stream where it runs
   * @param diffDst (batch, channels), F32
   * @param diffSrc (batch, pixels..., channels), overwritten
   */
  public void backward(Stream stream, Tensor diffDst, Tensor diffSrc) {
    long handle = Checks.stream(BACKWARD, stream);
    long diffDstAddress =
        Checks.tensor(BACKWARD, "diffDst", diffDst, stream, DType.F32, batch, channels);
    long diffSrcAddress = pixels(BACKWARD, "diffSrc", diffSrc, stream);
    Checks.disjoint(BACKWARD, "diffSrc", diffSrc, "diffDst", diffDst);
    Status.check(Fusewire.fw_mean_pool_backward(handle, problem, diffDstAddress, diffSrcAddress));
    Checks.reachable(diffDst, diffSrc, null, null);
  }

  private long pixels(String operation, String name, Tensor tensor, Stream stream) {
    return Checks.batchRows(operation, name, tensor, stream, dtype, batch, pixels, channels);
  }
}
