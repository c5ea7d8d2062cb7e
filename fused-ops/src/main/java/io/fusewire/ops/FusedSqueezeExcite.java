// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.FusedSqueezeExciteProblem;
import io.fusewire.binding.Fusewire;

/**
 * Squeeze-and-excite (arXiv 1709.01507) of a raw tensor in training: source and gate are multiplied
 * by whoever reads them next, so that nothing of the activation's size is written.
 *
 * <pre>
 * pooled = mean over pixels of inActivation(norm(src))
 * hidden = reduceWeights * pooled + reduceBias
 * gate   = g(expandWeights * act(hidden) + expandBias)
 * </pre>
 *
 * Backward goes through gate and BatchNorm together in one pass over src and diff. Tables are
 * described at {@link NormGradient}. Activations are (batch, pixels..., channels) in the storage
 * type, with any number of pixel axes; everything else is F32: reduceWeights (squeezed, channels),
 * reduceBias (squeezed), expandWeights (channels, squeezed), expandBias (channels). All tensors are
 * on the stream's device. Every method throws {@link IllegalArgumentException} for a tensor that
 * does not fit and {@link IllegalStateException} for a closed one, before anything is launched. One
 * object may serve any number of streams and threads.
 */
public final class FusedSqueezeExcite {
  private static final String FORWARD = "FusedSqueezeExcite.forward";
  private static final String BACKWARD = "FusedSqueezeExcite.backward";

  private final long batch;
  private final long pixels;
  private final long channels;
  private final long squeezed;
  private final DType dtype;
  private final FusedSqueezeExciteProblem problem;

  /**
   * Describes a squeeze-and-excite.
   *
   * @param batch images, 0 allowed
   * @param pixels height*width
   * @param channels channels
   * @param squeezed width of the hidden layer
   * @param dtype storage type of src and diff
   * @param inActivation applied to norm(src)
   * @param activation of the hidden layer: SILU (EfficientNet) or RELU (the paper)
   * @param gate gate function
   * @throws IllegalArgumentException if a size is out of range or dtype is not floating
   */
  public FusedSqueezeExcite(
      long batch,
      long pixels,
      long channels,
      long squeezed,
      DType dtype,
      Activation inActivation,
      Activation activation,
      Gate gate) {
    String name = "FusedSqueezeExcite";
    this.batch = Checks.notNegative(name, "batch", batch);
    this.pixels = Checks.positive(name, "pixels", pixels);
    this.channels = Checks.positive(name, "channels", channels);
    this.squeezed = Checks.positive(name, "squeezed", squeezed);
    this.dtype = Checks.floating(name, dtype);
    Checks.notNull(name, "inActivation", inActivation);
    Checks.notNull(name, "activation", activation);
    Checks.notNull(name, "gate", gate);
    Checks.product(name, "src", 4, Math.max(batch, 1), pixels, channels);
    Checks.product(name, "weights", 4, channels, squeezed);
    Checks.product(name, "hidden", 4, Math.max(batch, 1), squeezed);
    NativeLibrary.load();
    this.problem = Struct.allocate(FusedSqueezeExciteProblem.class, FusedSqueezeExciteProblem::new);
    problem.in_activation(inActivation.code());
    problem
        .block()
        .dtype(dtype.code())
        .activation(activation.code())
        .gate(gate.code())
        .batch(batch)
        .pixels(pixels)
        .channels(channels)
        .squeezed(squeezed);
  }

  /**
   * Workspace that every method of this object is content with.
   *
   * @param stream a stream of the device in question
   * @return bytes, 0 if none is needed
   */
  public long workspaceBytes(Stream stream) {
    return ByteCount.of(
        "FusedSqueezeExcite.workspaceBytes",
        stream,
        problem,
        Fusewire::fw_fused_squeeze_excite_workspace);
  }

  /**
   * Computes the gate.
   *
   * @param stream where it runs
   * @param src (batch, pixels..., channels), raw
   * @param inNorm norm table of src, or null: src is taken as it is
   * @param reduceWeights (squeezed, channels)
   * @param reduceBias (squeezed)
   * @param expandWeights (channels, squeezed)
   * @param expandBias (channels)
   * @param pooled (batch, channels), overwritten
   * @param hidden (batch, squeezed), before the activation, overwritten
   * @param gate (batch, channels), overwritten
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void forward(
      Stream stream,
      Tensor src,
      Tensor inNorm,
      Tensor reduceWeights,
      Tensor reduceBias,
      Tensor expandWeights,
      Tensor expandBias,
      Tensor pooled,
      Tensor hidden,
      Tensor gate,
      Tensor workspace) {
    long handle = Checks.stream(FORWARD, stream);
    long srcAddress = Checks.batchRows(FORWARD, "src", src, stream, dtype, batch, pixels, channels);
    long inNormAddress = NormChecks.optionalNorm(FORWARD, "inNorm", inNorm, stream, channels);
    long reduceWeightsAddress =
        Checks.tensor(
            FORWARD, "reduceWeights", reduceWeights, stream, DType.F32, squeezed, channels);
    long reduceBiasAddress =
        Checks.tensor(FORWARD, "reduceBias", reduceBias, stream, DType.F32, squeezed);
    long expandWeightsAddress =
        Checks.tensor(
            FORWARD, "expandWeights", expandWeights, stream, DType.F32, channels, squeezed);
    long expandBiasAddress =
        Checks.tensor(FORWARD, "expandBias", expandBias, stream, DType.F32, channels);
    long pooledAddress =
        Checks.tensor(FORWARD, "pooled", pooled, stream, DType.F32, batch, channels);
    long hiddenAddress =
        Checks.tensor(FORWARD, "hidden", hidden, stream, DType.F32, batch, squeezed);
    long gateAddress = Checks.tensor(FORWARD, "gate", gate, stream, DType.F32, batch, channels);
    long workspaceAddress = Checks.workspace(FORWARD, workspace, stream);
    Status.check(
        Fusewire.fw_fused_squeeze_excite_forward(
            handle,
            problem,
            srcAddress,
            inNormAddress,
            reduceWeightsAddress,
            reduceBiasAddress,
            expandWeightsAddress,
            expandBiasAddress,
            pooledAddress,
            hiddenAddress,
            gateAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, inNorm, reduceWeights, reduceBias);
    Checks.reachable(expandWeights, expandBias, pooled, hidden);
    Checks.reachable(gate, workspace, null, null);
  }

  /**
   * Computes the gradients of all parameters and of the source's BatchNorm.
   *
   * @param stream where it runs
   * @param src as forward had it
   * @param inNorm as forward had it, but not null
   * @param diff (batch, pixels..., channels), gradient of inActivation(norm(src))*gate
   * @param reduceWeights (squeezed, channels)
   * @param expandWeights (channels, squeezed)
   * @param pooled as forward wrote it
   * @param hidden as forward wrote it
   * @param gate as forward wrote it
   * @param poolGradient (batch, channels), overwritten: gradient of pooled divided by the pixels,
   *     so that diff*gate + poolGradient is the gradient of inActivation(norm(src))
   * @param diffReduceWeights (squeezed, channels), overwritten
   * @param diffReduceBias (squeezed), overwritten
   * @param diffExpandWeights (channels, squeezed), overwritten
   * @param diffExpandBias (channels), overwritten
   * @param diffGamma (channels), overwritten: of the source's BatchNorm
   * @param diffBeta (channels), overwritten
   * @param inGradient (2, channels), overwritten: gradient table of src
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void backward(
      Stream stream,
      Tensor src,
      Tensor inNorm,
      Tensor diff,
      Tensor reduceWeights,
      Tensor expandWeights,
      Tensor pooled,
      Tensor hidden,
      Tensor gate,
      Tensor poolGradient,
      Tensor diffReduceWeights,
      Tensor diffReduceBias,
      Tensor diffExpandWeights,
      Tensor diffExpandBias,
      Tensor diffGamma,
      Tensor diffBeta,
      Tensor inGradient,
      Tensor workspace) {
    long handle = Checks.stream(BACKWARD, stream);
    long srcAddress =
        Checks.batchRows(BACKWARD, "src", src, stream, dtype, batch, pixels, channels);
    long inNormAddress = NormChecks.norm(BACKWARD, "inNorm", inNorm, stream, channels);
    long diffAddress =
        Checks.batchRows(BACKWARD, "diff", diff, stream, dtype, batch, pixels, channels);
    long reduceWeightsAddress =
        Checks.tensor(
            BACKWARD, "reduceWeights", reduceWeights, stream, DType.F32, squeezed, channels);
    long expandWeightsAddress =
        Checks.tensor(
            BACKWARD, "expandWeights", expandWeights, stream, DType.F32, channels, squeezed);
    long pooledAddress =
        Checks.tensor(BACKWARD, "pooled", pooled, stream, DType.F32, batch, channels);
    long hiddenAddress =
        Checks.tensor(BACKWARD, "hidden", hidden, stream, DType.F32, batch, squeezed);
    long gateAddress = Checks.tensor(BACKWARD, "gate", gate, stream, DType.F32, batch, channels);
    long poolGradientAddress =
        Checks.tensor(BACKWARD, "poolGradient", poolGradient, stream, DType.F32, batch, channels);
    long diffReduceWeightsAddress =
        Checks.tensor(
            BACKWARD,
            "diffReduceWeights",
            diffReduceWeights,
            stream,
            DType.F32,
            squeezed,
            channels);
    long diffReduceBiasAddress =
        Checks.tensor(BACKWARD, "diffReduceBias", diffReduceBias, stream, DType.F32, squeezed);
    long diffExpandWeightsAddress =
        Checks.tensor(
            BACKWARD,
            "diffExpandWeights",
            diffExpandWeights,
            stream,
            DType.F32,
            channels,
            squeezed);
    long diffExpandBiasAddress =
        Checks.tensor(BACKWARD, "diffExpandBias", diffExpandBias, stream, DType.F32, channels);
    long diffGammaAddress = NormChecks.vector(BACKWARD, "diffGamma", diffGamma, stream, channels);
    long diffBetaAddress = NormChecks.vector(BACKWARD, "diffBeta", diffBeta, stream, channels);
    long inGradientAddress =
        NormChecks.gradient(BACKWARD, "inGradient", inGradient, stream, channels);
    long workspaceAddress = Checks.workspace(BACKWARD, workspace, stream);
    Status.check(
        Fusewire.fw_fused_squeeze_excite_backward(
            handle,
            problem,
            srcAddress,
            inNormAddress,
            diffAddress,
            reduceWeightsAddress,
            expandWeightsAddress,
            pooledAddress,
            hiddenAddress,
            gateAddress,
            poolGradientAddress,
            diffReduceWeightsAddress,
            diffReduceBiasAddress,
            diffExpandWeightsAddress,
            diffExpandBiasAddress,
            diffGammaAddress,
            diffBetaAddress,
            inGradientAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, inNorm, diff, reduceWeights);
    Checks.reachable(expandWeights, pooled, hidden, gate);
    Checks.reachable(poolGradient, diffReduceWeights, diffReduceBias, diffExpandWeights);
    Checks.reachable(diffExpandBias, diffGamma, diffBeta, inGradient);
    Checks.reachable(workspace, null, null, null);
  }
}
