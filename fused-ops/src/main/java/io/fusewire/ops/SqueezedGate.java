// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import io.fusewire.binding.SqueezeExciteProblem;

/**
 * The gate of squeeze-and-excite (arXiv 1709.01507) from sums over pixels, as {@link
 * SqueezedDepthwise} writes them, instead of from the tensor itself. The product with the gate is
 * left to the next operation, {@link GatedPointwise}.
 *
 * <pre>
 * pooled = sum over chunks of sums / pixels
 * hidden = reduceWeights * pooled + reduceBias
 * gate   = g(expandWeights * act(hidden) + expandBias)
 * </pre>
 *
 * Everything is F32 and on the stream's device. {@link #forward} throws {@link
 * IllegalArgumentException} for a tensor that does not fit and {@link IllegalStateException} for a
 * closed one, before anything is launched. One object may serve any number of streams and threads.
 */
public final class SqueezedGate {
  private static final String FORWARD = "SqueezedGate.forward";

  private final long batch;
  private final long chunks;
  private final long channels;
  private final long squeezed;
  private final SqueezeExciteProblem problem;

  /**
   * Describes a gate.
   *
   * @param batch images, 0 allowed
   * @param pixels height*width of the tensor that was summed
   * @param chunks sums of an image's pixels
   * @param channels channels
   * @param squeezed width of the hidden layer
   * @param activation of the hidden layer: SILU (EfficientNet) or RELU (the paper)
   * @param gate gate function
   * @throws IllegalArgumentException if a size is out of range
   */
  public SqueezedGate(
      long batch,
      long pixels,
      long chunks,
      long channels,
      long squeezed,
      Activation activation,
      Gate gate) {
    String name = "SqueezedGate";
    this.batch = Checks.notNegative(name, "batch", batch);
    Checks.positive(name, "pixels", pixels);
    this.chunks = Checks.positive(name, "chunks", chunks);
    this.channels = Checks.positive(name, "channels", channels);
    this.squeezed = Checks.positive(name, "squeezed", squeezed);
    Checks.notNull(name, "activation", activation);
    Checks.notNull(name, "gate", gate);
    Checks.product(name, "src", 4, Math.max(batch, 1), pixels, channels);
    Checks.product(name, "sums", 4, Math.max(batch, 1), chunks, channels);
    Checks.product(name, "weights", 4, channels, squeezed);
    Checks.product(name, "hidden", 4, Math.max(batch, 1), squeezed);
    NativeLibrary.load();
    this.problem =
        Struct.allocate(SqueezeExciteProblem.class, SqueezeExciteProblem::new)
            .dtype(DType.F32.code())
            .activation(activation.code())
            .gate(gate.code())
            .batch(batch)
            .pixels(pixels)
            .channels(channels)
            .squeezed(squeezed);
  }

  /**
   * Computes the gate.
   *
   * @param stream where it runs
   * @param sums (batch, chunks, channels)
   * @param reduceWeights (squeezed, channels)
   * @param reduceBias (squeezed)
   * @param expandWeights (channels, squeezed)
   * @param expandBias (channels)
   * @param pooled (batch, channels), overwritten
   * @param hidden (batch, squeezed), before the activation, overwritten
   * @param gate (batch, channels), overwritten
   */
  public void forward(
      Stream stream,
      Tensor sums,
      Tensor reduceWeights,
      Tensor reduceBias,
      Tensor expandWeights,
      Tensor expandBias,
      Tensor pooled,
      Tensor hidden,
      Tensor gate) {
    long handle = Checks.stream(FORWARD, stream);
    long sumsAddress =
        Checks.tensor(FORWARD, "sums", sums, stream, DType.F32, batch, chunks, channels);
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
    Status.check(
        Fusewire.fw_squeezed_gate_forward(
            handle,
            problem,
            sumsAddress,
            chunks,
            reduceWeightsAddress,
            reduceBiasAddress,
            expandWeightsAddress,
            expandBiasAddress,
            pooledAddress,
            hiddenAddress,
            gateAddress));
    Checks.reachable(sums, reduceWeights, reduceBias, expandWeights);
    Checks.reachable(expandBias, pooled, hidden, gate);
  }
}
