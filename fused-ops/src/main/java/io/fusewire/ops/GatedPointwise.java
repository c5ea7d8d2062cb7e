// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import io.fusewire.binding.GatedPointwiseProblem;

/**
 * Pointwise (1x1) convolution for inference with a gate on load, such as squeeze-and-excite's: the
 * gated tensor is never stored.
 *
 * <pre>dst = act((src * gate) * transpose(weights) + bias) + residual</pre>
 *
 * Activations are (batch, pixels..., channels) in the storage type, with any number of pixel axes;
 * gate and bias are F32, weights packed by {@link PointwiseConv#pack}. All tensors are on the
 * stream's device. {@link #forward} throws {@link IllegalArgumentException} for a tensor that does
 * not fit and {@link IllegalStateException} for a closed one, before anything is launched. One
 * object may serve any number of streams and threads.
 */
public final class GatedPointwise {
  private static final String FORWARD = "GatedPointwise.forward";

  private final long batch;
  private final long pixels;
  private final long inChannels;
  private final long outChannels;
  private final DType dtype;
  private final PointwiseConv packing;
  private final GatedPointwiseProblem problem;

  /**
   * Describes a gated pointwise convolution.
   *
   * @param batch images, 0 allowed
   * @param pixels height*width
   * @param inChannels channels of src
   * @param outChannels channels of dst
   * @param dtype storage type of src, residual and dst
   * @param activation applied to the product
   * @throws IllegalArgumentException if a size is out of range or dtype is not floating
   */
  public GatedPointwise(
      long batch,
      long pixels,
      long inChannels,
      long outChannels,
      DType dtype,
      Activation activation) {
    String name = "GatedPointwise";
    this.batch = Checks.notNegative(name, "batch", batch);
    this.pixels = Checks.positive(name, "pixels", pixels);
    this.inChannels = Checks.positive(name, "inChannels", inChannels);
    this.outChannels = Checks.positive(name, "outChannels", outChannels);
    this.dtype = Checks.floating(name, dtype);
    Checks.notNull(name, "activation", activation);
    Checks.product(name, "src", 4, Math.max(batch, 1), pixels, inChannels);
    Checks.product(name, "dst", 4, Math.max(batch, 1), pixels, outChannels);
    Checks.product(name, "weights", 4, inChannels, outChannels);
    NativeLibrary.load();
    this.packing = new PointwiseConv(batch * pixels, inChannels, outChannels, dtype, activation);
    this.problem =
        Struct.allocate(GatedPointwiseProblem.class, GatedPointwiseProblem::new)
            .dtype(dtype.code())
            .activation(activation.code())
            .batch(batch)
            .pixels(pixels)
            .in_channels(inChannels)
            .out_channels(outChannels);
  }

  /**
   * Computes the product.
   *
   * @param stream where it runs
   * @param src (batch, pixels..., inChannels)
   * @param gate (batch, inChannels), F32, multiplied with src, or null
   * @param packed weights (outChannels, inChannels) as {@link PointwiseConv#pack} wrote them on
   *     this device
   * @param bias (outChannels), F32, or null
   * @param residual (batch, pixels..., outChannels), added after the activation, or null; may be
   *     dst itself
   * @param dst (batch, pixels..., outChannels), overwritten; shares no memory with src
   */
  public void forward(
      Stream stream,
      Tensor src,
      Tensor gate,
      Tensor packed,
      Tensor bias,
      Tensor residual,
      Tensor dst) {
    long handle = Checks.stream(FORWARD, stream);
    long srcAddress =
        Checks.batchRows(FORWARD, "src", src, stream, dtype, batch, pixels, inChannels);
    long gateAddress = Checks.optional(FORWARD, "gate", gate, stream, DType.F32, batch, inChannels);
    long packedAddress = packing.packed(FORWARD, "packed", packed, stream);
    long biasAddress = Checks.optional(FORWARD, "bias", bias, stream, DType.F32, outChannels);
    long residualAddress =
        residual == null
            ? 0
            : Checks.batchRows(
                FORWARD, "residual", residual, stream, dtype, batch, pixels, outChannels);
    long dstAddress =
        Checks.batchRows(FORWARD, "dst", dst, stream, dtype, batch, pixels, outChannels);
    Checks.disjoint(FORWARD, "dst", dst, "src", src);
    Checks.sameOrDisjoint(FORWARD, "dst", dst, "residual", residual);
    Status.check(
        Fusewire.fw_gated_pointwise_forward(
            handle,
            problem,
            srcAddress,
            gateAddress,
            packedAddress,
            biasAddress,
            residualAddress,
            dstAddress));
    Checks.reachable(src, gate, packed, bias);
    Checks.reachable(residual, dst, null, null);
  }
}
