// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import io.fusewire.binding.ResidualProblem;

/**
 * Residual sum with drop-connect, also known as stochastic depth (arXiv 1603.09382).
 *
 * <pre>dst = branch * keep / (1-dropRate) + skip</pre>
 *
 * keep is 0 or 1, drawn once per image: image n is kept when Philox uniform number n of (sample 0,
 * step, layer) is at least dropRate. Nothing is stored; backward draws the same numbers. Tensors
 * are (batch, ...) with the given number of elements per image, in the storage type. All tensors
 * are on the stream's device. Every method throws {@link IllegalArgumentException} for a tensor
 * that does not fit and {@link IllegalStateException} for a closed one, before anything is
 * launched. One object may serve any number of streams and threads.
 */
public final class Residual {
  private static final String FORWARD = "Residual.forward";
  private static final String BACKWARD = "Residual.backward";

  private final long batch;
  private final long elements;
  private final float dropRate;
  private final DType dtype;
  private final ResidualProblem problem;

  /**
   * Describes a residual sum.
   *
   * @param batch images, 0 allowed
   * @param elements elements per image
   * @param dtype storage type
   * @param dropRate probability of dropping an image's branch, at least 0 and less than 1; 0 is a
   *     plain sum
   * @param layer number of the random stream, different for every layer of a network
   * @throws IllegalArgumentException if a value is out of range or dtype is not floating
   */
  public Residual(long batch, long elements, DType dtype, float dropRate, int layer) {
    String name = "Residual";
    this.batch = Checks.notNegative(name, "batch", batch);
    this.elements = Checks.positive(name, "elements", elements);
    this.dtype = Checks.floating(name, dtype);
    this.dropRate = Checks.rate(name, "dropRate", dropRate);
    Checks.product(name, "branch", 4, Math.max(batch, 1), elements);
    NativeLibrary.load();
    this.problem =
        Struct.allocate(ResidualProblem.class, ResidualProblem::new)
            .dtype(dtype.code())
            .layer(layer)
            .batch(batch)
            .elements(elements)
            .drop_rate(dropRate);
  }

  /**
   * Computes the sum.
   *
   * @param stream where it runs
   * @param step the training step; null only if dropRate is 0
   * @param branch (batch, ...)
   * @param skip (batch, ...)
   * @param dst (batch, ...), overwritten; may be branch or skip itself
   */
  public void forward(Stream stream, StepState step, Tensor branch, Tensor skip, Tensor dst) {
    long handle = Checks.stream(FORWARD, stream);
    long stepAddress = StepState.address(FORWARD, step, stream, dropRate > 0);
    long branchAddress = images(FORWARD, "branch", branch, stream);
    long skipAddress = images(FORWARD, "skip", skip, stream);
    long dstAddress = images(FORWARD, "dst", dst, stream);
    Checks.sameOrDisjoint(FORWARD, "dst", dst, "branch", branch);
    Checks.sameOrDisjoint(FORWARD, "dst", dst, "skip", skip);
    Status.check(
        Fusewire.fw_residual_forward(
            handle, problem, stepAddress, branchAddress, skipAddress, dstAddress));
    Checks.reachable(step, branch, skip, dst);
  }

  /**
   * Computes the branch's gradient, diffDst * keep / (1-dropRate). The skip's gradient is diffDst
   * itself.
   *
   * @param stream where it runs
   * @param step the training step, as forward had it; null only if dropRate is 0
   * @param diffDst (batch, ...)
   * @param diffBranch (batch, ...), overwritten; may be diffDst itself
   */
  public void backward(Stream stream, StepState step, Tensor diffDst, Tensor diffBranch) {
    long handle = Checks.stream(BACKWARD, stream);
    long stepAddress = StepState.address(BACKWARD, step, stream, dropRate > 0);
    long diffDstAddress = images(BACKWARD, "diffDst", diffDst, stream);
    long diffBranchAddress = images(BACKWARD, "diffBranch", diffBranch, stream);
    Checks.sameOrDisjoint(BACKWARD, "diffBranch", diffBranch, "diffDst", diffDst);
    Status.check(
        Fusewire.fw_residual_backward(
            handle, problem, stepAddress, diffDstAddress, diffBranchAddress));
    Checks.reachable(step, diffDst, diffBranch, null);
  }

  private long images(String operation, String name, Tensor tensor, Stream stream) {
    return Checks.images(operation, name, tensor, stream, dtype, batch, elements);
  }
}
