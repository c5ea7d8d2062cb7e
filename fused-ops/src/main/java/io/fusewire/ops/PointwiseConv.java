// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import io.fusewire.binding.PointwiseProblem;

/**
 * Pointwise (1x1) convolution, a product of (rows, inChannels) with the transpose of weights
 * (outChannels, inChannels), with bias, activation and residual in its epilogue. It is also a fully
 * connected layer.
 *
 * <pre>raw = src * transpose(weights) + bias;  dst = act(raw) + residual</pre>
 *
 * Rows are pixels: batch*height*width. Tensors of rows may have any axes before the last one, as
 * long as their sizes multiply to the number of rows. Weights (outChannels, inChannels), bias
 * (outChannels) and their gradients are F32. All tensors are on the stream's device. Every method
 * throws {@link IllegalArgumentException} for a tensor that does not fit and {@link
 * IllegalStateException} for a closed one, before anything is launched. One object may serve any
 * number of streams and threads.
 */
public final class PointwiseConv {
  private static final String FORWARD = "PointwiseConv.forward";
  private static final String FORWARD_PACKED = "PointwiseConv.forwardPacked";
  private static final String PACK = "PointwiseConv.pack";
  private static final String DATA = "PointwiseConv.backwardData";
  private static final String WEIGHTS = "PointwiseConv.backwardWeights";

  private final long rows;
  private final long inChannels;
  private final long outChannels;
  private final DType dtype;
  private final PointwiseProblem problem;
  private final PointwiseProblem packedProblem;
  private volatile PackedSize packedSize;

  /** Bytes of packed weights on a device, kept so that a call need not ask for them. */
  private record PackedSize(Device device, long bytes) {}

  /**
   * Describes a pointwise convolution.
   *
   * @param rows batch*height*width, 0 allowed
   * @param inChannels channels of src
   * @param outChannels channels of dst
   * @param dtype storage type of src, dst, raw, residual and their gradients
   * @param activation applied to the product
   * @throws IllegalArgumentException if a size is out of range or dtype is not floating
   */
  public PointwiseConv(
      long rows, long inChannels, long outChannels, DType dtype, Activation activation) {
    String name = "PointwiseConv";
    this.rows = Checks.notNegative(name, "rows", rows);
    this.inChannels = Checks.positive(name, "inChannels", inChannels);
    this.outChannels = Checks.positive(name, "outChannels", outChannels);
    this.dtype = Checks.floating(name, dtype);
    Checks.notNull(name, "activation", activation);
    Checks.product(name, "src", 4, Math.max(rows, 1), inChannels);
    Checks.product(name, "dst", 4, Math.max(rows, 1), outChannels);
    Checks.product(name, "weights", 4, inChannels, outChannels);
    NativeLibrary.load();
    this.problem = problem(activation, 0);
    this.packedProblem = problem(activation, 1);
  }

  private PointwiseProblem problem(Activation activation, int packed) {
    return Struct.allocate(PointwiseProblem.class, PointwiseProblem::new)
        .dtype(dtype.code())
        .activation(activation.code())
        .rows(rows)
        .in_channels(inChannels)
        .out_channels(outChannels)
        .packed(packed);
  }

  /**
   * Workspace that every method of this object is content with.
   *
   * @param stream a stream of the device in question
   * @return bytes, 0 if none is needed
   */
  public long workspaceBytes(Stream stream) {
    return ByteCount.of(
        "PointwiseConv.workspaceBytes", stream, problem, Fusewire::fw_pointwise_workspace);
  }

  /**
   * Size of packed weights.
   *
   * @param stream a stream of the device in question
   * @return bytes
   */
  public long packedBytes(Stream stream) {
    String operation = "PointwiseConv.packedBytes";
    Checks.stream(operation, stream);
    PackedSize known = packedSize;
    if (known == null || known.device() != stream.device()) {
      long bytes = ByteCount.of(operation, stream, problem, Fusewire::fw_pointwise_packed_bytes);
      known = new PackedSize(stream.device(), bytes);
      packedSize = known;
    }
    return known.bytes();
  }

  /**
   * Packs weights once for many calls of {@link #forwardPacked}. The layout is the device's own.
   *
   * @param stream where it runs
   * @param weights (outChannels, inChannels), F32
   * @param packed U8 with exactly {@link #packedBytes} bytes, overwritten
   */
  public void pack(Stream stream, Tensor weights, Tensor packed) {
    Checks.stream(PACK, stream);
    long weightsAddress = weights(PACK, "weights", weights, stream);
    long packedAddress = packed(PACK, packed, stream);
    Checks.disjoint(PACK, "packed", packed, "weights", weights);
    Status.check(
        Fusewire.fw_pointwise_pack(stream.handle(), problem, weightsAddress, packedAddress));
    Checks.reachable(weights, packed, null, null);
  }

  /**
   * Computes the product.
   *
   * @param stream where it runs
   * @param src (rows, inChannels)
   * @param weights (outChannels, inChannels), F32
   * @param bias (outChannels), F32, or null
   * @param residual (rows, outChannels), added after the activation, or null; may be dst itself
   * @param dst (rows, outChannels), overwritten; shares no memory with src
   * @param raw (rows, outChannels), receives the value before the activation, which the backward
   *     methods of an activated product need; or null
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void forward(
      Stream stream,
      Tensor src,
      Tensor weights,
      Tensor bias,
      Tensor residual,
      Tensor dst,
      Tensor raw,
      Tensor workspace) {
    Checks.stream(FORWARD, stream);
    long address = weights(FORWARD, "weights", weights, stream);
    forward(FORWARD, problem, stream, src, address, bias, residual, dst, raw, workspace);
    Checks.reachable(weights, null, null, null);
  }

  /**
   * Computes the product with weights that {@link #pack} has packed; as {@link #forward} otherwise,
   * with the same bits, and without a workspace.
   *
   * @param stream where it runs
   * @param src (rows, inChannels)
   * @param packed what {@link #pack} wrote on this device
   * @param bias (outChannels), F32, or null
   * @param residual (rows, outChannels), added after the activation, or null; may be dst itself
   * @param dst (rows, outChannels), overwritten; shares no memory with src
   */
  public void forwardPacked(
      Stream stream, Tensor src, Tensor packed, Tensor bias, Tensor residual, Tensor dst) {
    Checks.stream(FORWARD_PACKED, stream);
    long address = packed(FORWARD_PACKED, packed, stream);
    forward(FORWARD_PACKED, packedProblem, stream, src, address, bias, residual, dst, null, null);
    Checks.reachable(packed, null, null, null);
  }

  private void forward(
      String operation,
      PointwiseProblem problem,
      Stream stream,
      Tensor src,
      long weightsAddress,
      Tensor bias,
      Tensor residual,
      Tensor dst,
      Tensor raw,
      Tensor workspace) {
    long srcAddress = in(operation, "src", src, stream);
    long biasAddress = Checks.optional(operation, "bias", bias, stream, DType.F32, outChannels);
    long residualAddress =
        Checks.optionalRows(operation, "residual", residual, stream, dtype, rows, outChannels);
    long dstAddress = Checks.rows(operation, "dst", dst, stream, dtype, rows, outChannels);
    long rawAddress = Checks.optionalRows(operation, "raw", raw, stream, dtype, rows, outChannels);
    long workspaceAddress = Checks.workspace(operation, workspace, stream);
    Checks.disjoint(operation, "dst", dst, "src", src);
    Checks.disjoint(operation, "dst", dst, "raw", raw);
    Checks.disjoint(operation, "raw", raw, "src", src);
    Checks.disjoint(operation, "raw", raw, "residual", residual);
    Checks.sameOrDisjoint(operation, "dst", dst, "residual", residual);
    Status.check(
        Fusewire.fw_pointwise_forward(
            stream.handle(),
            problem,
            srcAddress,
            weightsAddress,
            biasAddress,
            residualAddress,
            dstAddress,
            rawAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, bias, residual, dst);
    Checks.reachable(raw, workspace, null, null);
  }

  /**
   * Computes the gradient of the source: diffSrc = (diffDst .* act'(raw)) * weights + addend.
   *
   * @param stream where it runs
   * @param diffDst (rows, outChannels)
   * @param weights (outChannels, inChannels), F32
   * @param raw (rows, outChannels) as forward wrote it; null means that diffDst is the gradient
   *     before the activation
   * @param addend (rows, inChannels), added to the result, or null; may be diffSrc itself
   * @param diffSrc (rows, inChannels), overwritten; shares no memory with diffDst or raw
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void backwardData(
      Stream stream,
      Tensor diffDst,
      Tensor weights,
      Tensor raw,
      Tensor addend,
      Tensor diffSrc,
      Tensor workspace) {
    long handle = Checks.stream(DATA, stream);
    long diffDstAddress = Checks.rows(DATA, "diffDst", diffDst, stream, dtype, rows, outChannels);
    long weightsAddress = weights(DATA, "weights", weights, stream);
    long rawAddress = Checks.optionalRows(DATA, "raw", raw, stream, dtype, rows, outChannels);
    long addendAddress =
        Checks.optionalRows(DATA, "addend", addend, stream, dtype, rows, inChannels);
    long diffSrcAddress = in(DATA, "diffSrc", diffSrc, stream);
    long workspaceAddress = Checks.workspace(DATA, workspace, stream);
    Checks.disjoint(DATA, "diffSrc", diffSrc, "diffDst", diffDst);
    Checks.disjoint(DATA, "diffSrc", diffSrc, "raw", raw);
    Checks.sameOrDisjoint(DATA, "diffSrc", diffSrc, "addend", addend);
    Status.check(
        Fusewire.fw_pointwise_backward_data(
            handle,
            problem,
            diffDstAddress,
            weightsAddress,
            rawAddress,
            addendAddress,
            diffSrcAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(diffDst, weights, raw, addend);
    Checks.reachable(diffSrc, workspace, null, null);
  }

  /**
   * Computes the gradients of weights and bias: diffWeights = transpose(diffDst .* act'(raw)) *
   * src.
   *
   * @param stream where it runs
   * @param src (rows, inChannels)
   * @param diffDst (rows, outChannels)
   * @param raw (rows, outChannels) as forward wrote it; null means that diffDst is the gradient
   *     before the activation
   * @param diffWeights (outChannels, inChannels), F32, overwritten
   * @param diffBias (outChannels), F32, overwritten; or null
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void backwardWeights(
      Stream stream,
      Tensor src,
      Tensor diffDst,
      Tensor raw,
      Tensor diffWeights,
      Tensor diffBias,
      Tensor workspace) {
    long handle = Checks.stream(WEIGHTS, stream);
    long srcAddress = in(WEIGHTS, "src", src, stream);
    long diffDstAddress =
        Checks.rows(WEIGHTS, "diffDst", diffDst, stream, dtype, rows, outChannels);
    long rawAddress = Checks.optionalRows(WEIGHTS, "raw", raw, stream, dtype, rows, outChannels);
    long diffWeightsAddress = weights(WEIGHTS, "diffWeights", diffWeights, stream);
    long diffBiasAddress =
        Checks.optional(WEIGHTS, "diffBias", diffBias, stream, DType.F32, outChannels);
    long workspaceAddress = Checks.workspace(WEIGHTS, workspace, stream);
    Status.check(
        Fusewire.fw_pointwise_backward_weights(
            handle,
            problem,
            srcAddress,
            diffDstAddress,
            rawAddress,
            diffWeightsAddress,
            diffBiasAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, diffDst, raw, diffWeights);
    Checks.reachable(diffBias, workspace, null, null);
  }

  private long in(String operation, String name, Tensor tensor, Stream stream) {
    return Checks.rows(operation, name, tensor, stream, dtype, rows, inChannels);
  }

  private long weights(String operation, String name, Tensor tensor, Stream stream) {
    return Checks.tensor(operation, name, tensor, stream, DType.F32, outChannels, inChannels);
  }

  private long packed(String operation, Tensor packed, Stream stream) {
    Checks.stream(operation, stream);
    return packed(operation, "packed", packed, stream);
  }

  /** Address of packed weights, which other operations take as well. */
  long packed(String operation, String name, Tensor packed, Stream stream) {
    return Checks.tensor(operation, name, packed, stream, DType.U8, packedBytes(stream));
  }
}
