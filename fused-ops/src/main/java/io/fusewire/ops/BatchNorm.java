// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.BatchNormProblem;
import io.fusewire.binding.Fusewire;

/**
 * Batch normalisation (arXiv 1502.03167) over (rows, channels) with a fused activation.
 *
 * <pre>dst = act(gamma * (src-mean) / sqrt(var+epsilon) + beta)</pre>
 *
 * Rows are batch*height*width; tensors of rows may have any axes before the last one. Parameters
 * and statistics are (channels), F32. Statistics are computed by shifted sums merged as in Chan et
 * al. 1979. Backward recomputes the normalised value and the activation from the raw input. All
 * tensors are on the stream's device. Every method throws {@link IllegalArgumentException} for a
 * tensor that does not fit and {@link IllegalStateException} for a closed one, before anything is
 * launched. One object may serve any number of streams and threads.
 */
public final class BatchNorm {
  private static final String TRAINING = "BatchNorm.forwardTraining";
  private static final String INFERENCE = "BatchNorm.forwardInference";
  private static final String BACKWARD = "BatchNorm.backward";

  private final long rows;
  private final long channels;
  private final DType dtype;
  private final BatchNormProblem problem;

  /**
   * Describes a batch normalisation.
   *
   * @param rows batch*height*width; training needs at least 2
   * @param channels channels
   * @param dtype storage type of src, dst and their gradients
   * @param activation applied to the normalised value
   * @param epsilon added to the variance, at least 0
   * @param momentum running = (1-momentum)*running + momentum*batch, between 0 and 1; the variance
   *     kept is the unbiased one
   * @throws IllegalArgumentException if a value is out of range or dtype is not floating
   */
  public BatchNorm(
      long rows, long channels, DType dtype, Activation activation, float epsilon, float momentum) {
    String name = "BatchNorm";
    this.rows = Checks.notNegative(name, "rows", rows);
    this.channels = Checks.positive(name, "channels", channels);
    this.dtype = Checks.floating(name, dtype);
    Checks.notNull(name, "activation", activation);
    Checks.product(name, "src", 4, Math.max(rows, 1), channels);
    NormChecks.settings(name, epsilon, momentum);
    NativeLibrary.load();
    this.problem =
        Struct.allocate(BatchNormProblem.class, BatchNormProblem::new)
            .dtype(dtype.code())
            .activation(activation.code())
            .rows(rows)
            .channels(channels)
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
        "BatchNorm.workspaceBytes", stream, problem, Fusewire::fw_batchnorm_workspace);
  }

  /**
   * Normalises by the batch's own statistics.
   *
   * @param stream where it runs
   * @param src (rows, channels)
   * @param gamma scale
   * @param beta shift
   * @param runningMean updated; or null together with runningVar
   * @param runningVar updated; or null together with runningMean
   * @param savedMean receives the batch's mean, for {@link #backward}
   * @param savedInvStd receives 1/sqrt(variance+epsilon), for {@link #backward}
   * @param dst (rows, channels), overwritten; shares no memory with src
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void forwardTraining(
      Stream stream,
      Tensor src,
      Tensor gamma,
      Tensor beta,
      Tensor runningMean,
      Tensor runningVar,
      Tensor savedMean,
      Tensor savedInvStd,
      Tensor dst,
      Tensor workspace) {
    long handle = Checks.stream(TRAINING, stream);
    NormChecks.rows(TRAINING, rows);
    NormChecks.running(TRAINING, runningMean, runningVar);
    long srcAddress = rows(TRAINING, "src", src, stream);
    long gammaAddress = vector(TRAINING, "gamma", gamma, stream);
    long betaAddress = vector(TRAINING, "beta", beta, stream);
    long runningMeanAddress =
        Checks.optional(TRAINING, "runningMean", runningMean, stream, DType.F32, channels);
    long runningVarAddress =
        Checks.optional(TRAINING, "runningVar", runningVar, stream, DType.F32, channels);
    long savedMeanAddress = vector(TRAINING, "savedMean", savedMean, stream);
    long savedInvStdAddress = vector(TRAINING, "savedInvStd", savedInvStd, stream);
    long dstAddress = rows(TRAINING, "dst", dst, stream);
    long workspaceAddress = Checks.workspace(TRAINING, workspace, stream);
    Checks.disjoint(TRAINING, "dst", dst, "src", src);
    Status.check(
        Fusewire.fw_batchnorm_forward_training(
            handle,
            problem,
            srcAddress,
            gammaAddress,
            betaAddress,
            runningMeanAddress,
            runningVarAddress,
            savedMeanAddress,
            savedInvStdAddress,
            dstAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, gamma, beta, runningMean);
    Checks.reachable(runningVar, savedMean, savedInvStd, dst);
    Checks.reachable(workspace, null, null, null);
  }

  /**
   * Normalises by running statistics.
   *
   * @param stream where it runs
   * @param src (rows, channels)
   * @param gamma scale
   * @param beta shift
   * @param runningMean mean
   * @param runningVar variance
   * @param dst (rows, channels), overwritten; may be src itself
   */
  public void forwardInference(
      Stream stream,
      Tensor src,
      Tensor gamma,
      Tensor beta,
      Tensor runningMean,
      Tensor runningVar,
      Tensor dst) {
    long handle = Checks.stream(INFERENCE, stream);
    long srcAddress = rows(INFERENCE, "src", src, stream);
    long gammaAddress = vector(INFERENCE, "gamma", gamma, stream);
    long betaAddress = vector(INFERENCE, "beta", beta, stream);
    long meanAddress = vector(INFERENCE, "runningMean", runningMean, stream);
    long varAddress = vector(INFERENCE, "runningVar", runningVar, stream);
    long dstAddress = rows(INFERENCE, "dst", dst, stream);
    Checks.sameOrDisjoint(INFERENCE, "dst", dst, "src", src);
    Status.check(
        Fusewire.fw_batchnorm_forward_inference(
            handle,
            problem,
            srcAddress,
            gammaAddress,
            betaAddress,
            meanAddress,
            varAddress,
            dstAddress));
    Checks.reachable(src, gamma, beta, runningMean);
    Checks.reachable(runningVar, dst, null, null);
  }

  /**
   * Computes all gradients of {@link #forwardTraining}.
   *
   * @param stream where it runs
   * @param src (rows, channels), as forward had it
   * @param diffDst (rows, channels)
   * @param gamma scale
   * @param beta shift
   * @param savedMean as forward wrote it
   * @param savedInvStd as forward wrote it
   * @param diffSrc (rows, channels), overwritten; may be diffDst itself, shares no memory with src
   * @param diffGamma (channels), F32, overwritten
   * @param diffBeta (channels), F32, overwritten
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void backward(
      Stream stream,
      Tensor src,
      Tensor diffDst,
      Tensor gamma,
      Tensor beta,
      Tensor savedMean,
      Tensor savedInvStd,
      Tensor diffSrc,
      Tensor diffGamma,
      Tensor diffBeta,
      Tensor workspace) {
    long handle = Checks.stream(BACKWARD, stream);
    NormChecks.rows(BACKWARD, rows);
    long srcAddress = rows(BACKWARD, "src", src, stream);
    long diffDstAddress = rows(BACKWARD, "diffDst", diffDst, stream);
    long gammaAddress = vector(BACKWARD, "gamma", gamma, stream);
    long betaAddress = vector(BACKWARD, "beta", beta, stream);
    long savedMeanAddress = vector(BACKWARD, "savedMean", savedMean, stream);
    long savedInvStdAddress = vector(BACKWARD, "savedInvStd", savedInvStd, stream);
    long diffSrcAddress = rows(BACKWARD, "diffSrc", diffSrc, stream);
    long diffGammaAddress = vector(BACKWARD, "diffGamma", diffGamma, stream);
    long diffBetaAddress = vector(BACKWARD, "diffBeta", diffBeta, stream);
    long workspaceAddress = Checks.workspace(BACKWARD, workspace, stream);
    Checks.disjoint(BACKWARD, "diffSrc", diffSrc, "src", src);
    Checks.sameOrDisjoint(BACKWARD, "diffSrc", diffSrc, "diffDst", diffDst);
    Status.check(
        Fusewire.fw_batchnorm_backward(
            handle,
            problem,
            srcAddress,
            diffDstAddress,
            gammaAddress,
            betaAddress,
            savedMeanAddress,
            savedInvStdAddress,
            diffSrcAddress,
            diffGammaAddress,
            diffBetaAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, diffDst, gamma, beta);
    Checks.reachable(savedMean, savedInvStd, diffSrc, diffGamma);
    Checks.reachable(diffBeta, workspace, null, null);
  }

  private long rows(String operation, String name, Tensor tensor, Stream stream) {
    return Checks.rows(operation, name, tensor, stream, dtype, rows, channels);
  }

  private long vector(String operation, String name, Tensor tensor, Stream stream) {
    return Checks.tensor(operation, name, tensor, stream, DType.F32, channels);
  }
}
