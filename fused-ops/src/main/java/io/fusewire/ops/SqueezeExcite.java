// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import io.fusewire.binding.SqueezeExciteProblem;

/**
 * Squeeze-and-excite (arXiv 1709.01507), fused.
 *
 * <pre>
 * pooled = mean over pixels of src
 * hidden = reduceWeights * pooled + reduceBias
 * gate   = g(expandWeights * act(hidden) + expandBias)
 * dst    = src * gate
 * </pre>
 *
 * Activations are (batch, pixels..., channels) in the storage type, with any number of pixel axes;
 * everything else is F32: reduceWeights (squeezed, channels), reduceBias (squeezed), expandWeights
 * (channels, squeezed), expandBias (channels). All tensors are on the stream's device. Every method
 * throws {@link IllegalArgumentException} for a tensor that does not fit and {@link
 * IllegalStateException} for a closed one, before anything is launched. One object may serve any
 * number of streams and threads.
 */
public final class SqueezeExcite {
  private static final String FORWARD = "SqueezeExcite.forward";
  private static final String BACKWARD = "SqueezeExcite.backward";

  private final long batch;
  private final long pixels;
  private final long channels;
  private final long squeezed;
  private final DType dtype;
  private final SqueezeExciteProblem problem;

  /**
   * Describes a squeeze-and-excite.
   *
   * @param batch images, 0 allowed
   * @param pixels height*width
   * @param channels channels
   * @param squeezed width of the hidden layer
   * @param dtype storage type of src, dst and their gradients
   * @param activation of the hidden layer: SILU (EfficientNet) or RELU (the paper)
   * @param gate gate function
   * @throws IllegalArgumentException if a size is out of range or dtype is not floating
   */
  public SqueezeExcite(
      long batch,
      long pixels,
      long channels,
      long squeezed,
      DType dtype,
      Activation activation,
      Gate gate) {
    String name = "SqueezeExcite";
    this.batch = Checks.notNegative(name, "batch", batch);
    this.pixels = Checks.positive(name, "pixels", pixels);
    this.channels = Checks.positive(name, "channels", channels);
    this.squeezed = Checks.positive(name, "squeezed", squeezed);
    this.dtype = Checks.floating(name, dtype);
    Checks.notNull(name, "activation", activation);
    Checks.notNull(name, "gate", gate);
    Checks.product(name, "src", 4, Math.max(batch, 1), pixels, channels);
    Checks.product(name, "weights", 4, channels, squeezed);
    Checks.product(name, "hidden", 4, Math.max(batch, 1), squeezed);
    NativeLibrary.load();
    this.problem =
        Struct.allocate(SqueezeExciteProblem.class, SqueezeExciteProblem::new)
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
        "SqueezeExcite.workspaceBytes", stream, problem, Fusewire::fw_squeeze_excite_workspace);
  }

  /**
   * Computes the gate and applies it.
   *
   * @param stream where it runs
   * @param src (batch, pixels..., channels)
   * @param reduceWeights (squeezed, channels)
   * @param reduceBias (squeezed)
   * @param expandWeights (channels, squeezed)
   * @param expandBias (channels)
   * @param pooled (batch, channels), F32, written for {@link #backward}
   * @param hidden (batch, squeezed), F32, before the activation, written for {@link #backward}
   * @param gate (batch, channels), F32, written for {@link #backward}
   * @param dst (batch, pixels..., channels), overwritten; shares no memory with src
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void forward(
      Stream stream,
      Tensor src,
      Tensor reduceWeights,
      Tensor reduceBias,
      Tensor expandWeights,
      Tensor expandBias,
      Tensor pooled,
      Tensor hidden,
      Tensor gate,
      Tensor dst,
      Tensor workspace) {
    long handle = Checks.stream(FORWARD, stream);
    long srcAddress = pixels(FORWARD, "src", src, stream);
    long reduceWeightsAddress =
        f32(FORWARD, "reduceWeights", reduceWeights, stream, squeezed, channels);
    long reduceBiasAddress = f32(FORWARD, "reduceBias", reduceBias, stream, squeezed);
    long expandWeightsAddress =
        f32(FORWARD, "expandWeights", expandWeights, stream, channels, squeezed);
    long expandBiasAddress = f32(FORWARD, "expandBias", expandBias, stream, channels);
    long pooledAddress = f32(FORWARD, "pooled", pooled, stream, batch, channels);
    long hiddenAddress = f32(FORWARD, "hidden", hidden, stream, batch, squeezed);
    long gateAddress = f32(FORWARD, "gate", gate, stream, batch, channels);
    long dstAddress = pixels(FORWARD, "dst", dst, stream);
    long workspaceAddress = Checks.workspace(FORWARD, workspace, stream);
    Checks.disjoint(FORWARD, "dst", dst, "src", src);
    Status.check(
        Fusewire.fw_squeeze_excite_forward(
            handle,
            problem,
            srcAddress,
            reduceWeightsAddress,
            reduceBiasAddress,
            expandWeightsAddress,
            expandBiasAddress,
            pooledAddress,
            hiddenAddress,
            gateAddress,
            dstAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, reduceWeights, reduceBias, expandWeights);
    Checks.reachable(expandBias, pooled, hidden, gate);
    Checks.reachable(dst, workspace, null, null);
  }

  /**
   * Computes all gradients.
   *
   * @param stream where it runs
   * @param src (batch, pixels..., channels), as forward had it
   * @param diffDst (batch, pixels..., channels)
   * @param reduceWeights (squeezed, channels)
   * @param expandWeights (channels, squeezed)
   * @param pooled as forward wrote it
   * @param hidden as forward wrote it
   * @param gate as forward wrote it
   * @param diffSrc (batch, pixels..., channels), overwritten; may be diffDst itself, shares no
   *     memory with src
   * @param diffReduceWeights (squeezed, channels), overwritten
   * @param diffReduceBias (squeezed), overwritten
   * @param diffExpandWeights (channels, squeezed), overwritten
   * @param diffExpandBias (channels), overwritten
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void backward(
      Stream stream,
      Tensor src,
      Tensor diffDst,
      Tensor reduceWeights,
      Tensor expandWeights,
      Tensor pooled,
      Tensor hidden,
      Tensor gate,
      Tensor diffSrc,
      Tensor diffReduceWeights,
      Tensor diffReduceBias,
      Tensor diffExpandWeights,
      Tensor diffExpandBias,
      Tensor workspace) {
    long handle = Checks.stream(BACKWARD, stream);
    long srcAddress = pixels(BACKWARD, "src", src, stream);
    long diffDstAddress = pixels(BACKWARD, "diffDst", diffDst, stream);
    long reduceWeightsAddress =
        f32(BACKWARD, "reduceWeights", reduceWeights, stream, squeezed, channels);
    long expandWeightsAddress =
        f32(BACKWARD, "expandWeights", expandWeights, stream, channels, squeezed);
    long pooledAddress = f32(BACKWARD, "pooled", pooled, stream, batch, channels);
    long hiddenAddress = f32(BACKWARD, "hidden", hidden, stream, batch, squeezed);
    long gateAddress = f32(BACKWARD, "gate", gate, stream, batch, channels);
    long diffSrcAddress = pixels(BACKWARD, "diffSrc", diffSrc, stream);
    long diffReduceWeightsAddress =
        f32(BACKWARD, "diffReduceWeights", diffReduceWeights, stream, squeezed, channels);
    long diffReduceBiasAddress = f32(BACKWARD, "diffReduceBias", diffReduceBias, stream, squeezed);
    long diffExpandWeightsAddress =
        f32(BACKWARD, "diffExpandWeights", diffExpandWeights, stream, channels, squeezed);
    long diffExpandBiasAddress = f32(BACKWARD, "diffExpandBias", diffExpandBias, stream, channels);
    long workspaceAddress = Checks.workspace(BACKWARD, workspace, stream);
    Checks.disjoint(BACKWARD, "diffSrc", diffSrc, "src", src);
    Checks.sameOrDisjoint(BACKWARD, "diffSrc", diffSrc, "diffDst", diffDst);
    Status.check(
        Fusewire.fw_squeeze_excite_backward(
            handle,
            problem,
            srcAddress,
            diffDstAddress,
            reduceWeightsAddress,
            expandWeightsAddress,
            pooledAddress,
            hiddenAddress,
            gateAddress,
            diffSrcAddress,
            diffReduceWeightsAddress,
            diffReduceBiasAddress,
            diffExpandWeightsAddress,
            diffExpandBiasAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, diffDst, reduceWeights, expandWeights);
    Checks.reachable(pooled, hidden, gate, diffSrc);
    Checks.reachable(diffReduceWeights, diffReduceBias, diffExpandWeights, diffExpandBias);
    Checks.reachable(workspace, null, null, null);
  }

  private long pixels(String operation, String name, Tensor tensor, Stream stream) {
    return Checks.batchRows(operation, name, tensor, stream, dtype, batch, pixels, channels);
  }

  private static long f32(String operation, String name, Tensor tensor, Stream stream, long a) {
    return Checks.tensor(operation, name, tensor, stream, DType.F32, a);
  }

  private static long f32(
      String operation, String name, Tensor tensor, Stream stream, long a, long b) {
    return Checks.tensor(operation, name, tensor, stream, DType.F32, a, b);
  }
}
