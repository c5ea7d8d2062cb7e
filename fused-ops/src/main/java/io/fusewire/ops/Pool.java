// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import io.fusewire.binding.PoolProblem;

/**
 * Pooling over windows: the largest value, or the mean of the pixels inside. The source may be a
 * raw tensor of the training graph, which is normalised and activated on load, or a plain one.
 *
 * <pre>
 * in  = inActivation(norm(src)), or src where there is no norm
 * dst = max or mean of in over each window
 * </pre>
 *
 * A NaN in a window makes the result NaN. Norm tables are described at {@link NormGradient}.
 * Activations are NHWC in the storage type; tables are F32. All tensors are on the stream's device.
 * Every method throws {@link IllegalArgumentException} for a tensor that does not fit and {@link
 * IllegalStateException} for a closed one, before anything is launched. One object may serve any
 * number of streams and threads. The mean over all pixels is {@link MeanPool}.
 */
public final class Pool {
  private static final String FORWARD = "Pool.forward";
  private static final String BACKWARD = "Pool.backward";

  private final PoolShape shape;
  private final PoolKind kind;
  private final DType dtype;
  private final PoolProblem problem;

  /**
   * Describes a pooling.
   *
   * @param shape its size
   * @param kind largest value or mean
   * @param dtype storage type of src, dst and their gradients
   * @param inActivation applied to norm(src)
   * @throws IllegalArgumentException if dtype is not floating
   */
  public Pool(PoolShape shape, PoolKind kind, DType dtype, Activation inActivation) {
    String name = "Pool";
    Checks.notNull(name, "shape", shape);
    Checks.notNull(name, "kind", kind);
    Checks.notNull(name, "inActivation", inActivation);
    this.shape = shape;
    this.kind = kind;
    this.dtype = Checks.floating(name, dtype);
    NativeLibrary.load();
    this.problem =
        Struct.allocate(PoolProblem.class, PoolProblem::new)
            .dtype(dtype.code())
            .kind(kind.code())
            .in_activation(inActivation.code())
            .batch(shape.batch())
            .in_height(shape.inHeight())
            .in_width(shape.inWidth())
            .channels(shape.channels())
            .kernel_height(shape.kernelHeight())
            .kernel_width(shape.kernelWidth())
            .stride_height(shape.strideHeight())
            .stride_width(shape.strideWidth())
            .pad_top(shape.padTop())
            .pad_bottom(shape.padBottom())
            .pad_left(shape.padLeft())
            .pad_right(shape.padRight());
  }

  /**
   * The size this was made for.
   *
   * @return the size
   */
  public PoolShape shape() {
    return shape;
  }

  /**
   * Pools.
   *
   * @param stream where it runs
   * @param src (batch, inHeight, inWidth, channels)
   * @param inNorm norm table of src, (4, channels), or null: src is taken as it is, without
   *     activation
   * @param dst (batch, outHeight, outWidth, channels), overwritten; shares no memory with src
   */
  public void forward(Stream stream, Tensor src, Tensor inNorm, Tensor dst) {
    long handle = Checks.stream(FORWARD, stream);
    long srcAddress = in(FORWARD, "src", src, stream);
    long inNormAddress =
        NormChecks.optionalNorm(FORWARD, "inNorm", inNorm, stream, shape.channels());
    long dstAddress = out(FORWARD, "dst", dst, stream);
    Checks.disjoint(FORWARD, "dst", dst, "src", src);
    Status.check(Fusewire.fw_pool_forward(handle, problem, srcAddress, inNormAddress, dstAddress));
    Checks.reachable(src, inNorm, dst, null);
  }

  /**
   * Computes the gradient of inActivation(norm(src)), or of src where there is no norm, plus
   * addend. The gradient of a largest value goes to the first pixel of its window, row by row, that
   * has it, as in PyTorch.
   *
   * @param stream where it runs
   * @param src as forward had it; null for a mean, which does not need it
   * @param inNorm as forward had it; null for a mean
   * @param diffDst (batch, outHeight, outWidth, channels)
   * @param addend (batch, inHeight, inWidth, channels), added to the result, or null; may be
   *     diffSrc itself
   * @param diffSrc (batch, inHeight, inWidth, channels), overwritten; shares no memory with src or
   *     diffDst
   */
  public void backward(
      Stream stream, Tensor src, Tensor inNorm, Tensor diffDst, Tensor addend, Tensor diffSrc) {
    long handle = Checks.stream(BACKWARD, stream);
    long srcAddress =
        src == null && kind == PoolKind.AVERAGE ? 0 : in(BACKWARD, "src", src, stream);
    long inNormAddress =
        NormChecks.optionalNorm(BACKWARD, "inNorm", inNorm, stream, shape.channels());
    long diffDstAddress = out(BACKWARD, "diffDst", diffDst, stream);
    long addendAddress = addend == null ? 0 : in(BACKWARD, "addend", addend, stream);
    long diffSrcAddress = in(BACKWARD, "diffSrc", diffSrc, stream);
    Checks.disjoint(BACKWARD, "diffSrc", diffSrc, "src", src);
    Checks.disjoint(BACKWARD, "diffSrc", diffSrc, "diffDst", diffDst);
    Checks.sameOrDisjoint(BACKWARD, "diffSrc", diffSrc, "addend", addend);
    Status.check(
        Fusewire.fw_pool_backward(
            handle,
            problem,
            srcAddress,
            inNormAddress,
            diffDstAddress,
            addendAddress,
            diffSrcAddress));
    Checks.reachable(src, inNorm, diffDst, addend);
    Checks.reachable(diffSrc, null, null, null);
  }

  private long in(String operation, String name, Tensor tensor, Stream stream) {
    return Checks.tensor(
        operation,
        name,
        tensor,
        stream,
        dtype,
        shape.batch(),
        shape.inHeight(),
        shape.inWidth(),
        shape.channels());
  }

  private long out(String operation, String name, Tensor tensor, Stream stream) {
    return Checks.tensor(
        operation,
        name,
        tensor,
        stream,
        dtype,
        shape.batch(),
        shape.outHeight(),
        shape.outWidth(),
        shape.channels());
  }
}
