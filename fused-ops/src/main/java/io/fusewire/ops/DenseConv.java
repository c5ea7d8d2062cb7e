// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;

/**
 * Dense convolution: every output channel sees every input channel.
 *
 * <pre>
 * dst[n,p,q,k] = act(bias[k] + sum over r,s,c of src[n, p*sh-pt+r*dh, q*sw-pl+s*dw, c] * weights[k,r,s,c])
 * </pre>
 *
 * Activations are NHWC in the storage type; weights (outChannels, kernelHeight, kernelWidth,
 * inChannels), bias (outChannels) and their gradients are F32. For a 1x1 kernel of stride 1 use
 * {@link PointwiseConv}; {@link #forwardPacked} takes its kernels for one by itself. All tensors
 * are on the stream's device. Every method throws {@link IllegalArgumentException} for a tensor
 * that does not fit and {@link IllegalStateException} for a closed one, before anything is
 * launched. One object may serve any number of streams and threads.
 */
public final class DenseConv {
  private static final String FORWARD = "DenseConv.forward";
  private static final String FORWARD_PACKED = "DenseConv.forwardPacked";
  private static final String PACK = "DenseConv.pack";
  private static final String DATA = "DenseConv.backwardData";
  private static final String WEIGHTS = "DenseConv.backwardWeights";

  private final ConvTensors tensors;
  private volatile PackedSize packedSize;

  /** Bytes of packed weights on a device, kept so that a call need not ask for them. */
  private record PackedSize(Device device, long bytes) {}

  /**
   * Describes a dense convolution.
   *
   * @param shape its size
   * @param dtype storage type of src, dst and their gradients
   * @param activation applied to the result by {@link #forward}
   * @throws IllegalArgumentException if dtype is not floating
   */
  public DenseConv(ConvShape shape, DType dtype, Activation activation) {
    this.tensors = new ConvTensors("DenseConv", shape, dtype, activation);
  }

  /**
   * The size this was made for.
   *
   * @return the size
   */
  public ConvShape shape() {
    return tensors.shape();
  }

  /**
   * Workspace that every method of this object is content with.
   *
   * @param stream a stream of the device in question
   * @return bytes, 0 if none is needed
   */
  public long workspaceBytes(Stream stream) {
    return ByteCount.of(
        "DenseConv.workspaceBytes", stream, tensors.problem(), Fusewire::fw_conv_workspace);
  }

  /**
   * Computes the convolution.
   *
   * @param stream where it runs
   * @param src (batch, inHeight, inWidth, inChannels)
   * @param weights (outChannels, kernelHeight, kernelWidth, inChannels), F32
   * @param bias (outChannels), F32, or null
   * @param dst (batch, outHeight, outWidth, outChannels), overwritten; shares no memory with src
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void forward(
      Stream stream, Tensor src, Tensor weights, Tensor bias, Tensor dst, Tensor workspace) {
    long handle = Checks.stream(FORWARD, stream);
    long srcAddress = tensors.src(FORWARD, "src", src, stream);
    long weightsAddress = tensors.denseWeights(FORWARD, "weights", weights, stream);
    long biasAddress = tensors.bias(FORWARD, "bias", bias, stream);
    long dstAddress = tensors.dst(FORWARD, "dst", dst, stream);
    long workspaceAddress = Checks.workspace(FORWARD, workspace, stream);
    Checks.disjoint(FORWARD, "dst", dst, "src", src);
    Status.check(
        Fusewire.fw_conv_forward(
            handle,
            tensors.problem(),
            srcAddress,
            weightsAddress,
            biasAddress,
            dstAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, weights, bias, dst);
    Checks.reachable(workspace, null, null, null);
  }

  /**
   * Size of packed weights.
   *
   * @param stream a stream of the device in question
   * @return bytes
   */
  public long packedBytes(Stream stream) {
    String operation = "DenseConv.packedBytes";
    Checks.stream(operation, stream);
    PackedSize known = packedSize;
    if (known == null || known.device() != stream.device()) {
      long bytes =
          ByteCount.of(operation, stream, tensors.problem(), Fusewire::fw_conv_packed_bytes);
      known = new PackedSize(stream.device(), bytes);
      packedSize = known;
    }
    return known.bytes();
  }

  /**
   * Packs weights once for many calls of {@link #forwardPacked}, of this object or of one that
   * differs from it in batch, size, padding and stride only. The layout is the device's own.
   *
   * @param stream where it runs
   * @param weights (outChannels, kernelHeight, kernelWidth, inChannels), F32
   * @param packed U8 with exactly {@link #packedBytes} bytes, overwritten
   */
  public void pack(Stream stream, Tensor weights, Tensor packed) {
    long handle = Checks.stream(PACK, stream);
    long weightsAddress = tensors.denseWeights(PACK, "weights", weights, stream);
    long packedAddress = packed(PACK, packed, stream);
    Checks.disjoint(PACK, "packed", packed, "weights", weights);
    Status.check(Fusewire.fw_conv_pack(handle, tensors.problem(), weightsAddress, packedAddress));
    Checks.reachable(weights, packed, null, null);
  }

  /**
   * Computes the convolution with weights that {@link #pack} has packed, as inference does: with
   * raw the convolution and its bias, dst = act(raw) + residual or act(raw + residual).
   *
   * @param stream where it runs
   * @param src (batch, inHeight, inWidth, inChannels)
   * @param packed what {@link #pack} wrote on this device
   * @param bias (outChannels), F32, or null
   * @param residual (batch, outHeight, outWidth, outChannels), or null; may be dst itself
   * @param place where residual is added
   * @param dst (batch, outHeight, outWidth, outChannels), overwritten; shares no memory with src
   */
  public void forwardPacked(
      Stream stream,
      Tensor src,
      Tensor packed,
      Tensor bias,
      Tensor residual,
      ResidualPlace place,
      Tensor dst) {
    long handle = Checks.stream(FORWARD_PACKED, stream);
    Checks.notNull(FORWARD_PACKED, "place", place);
    long srcAddress = tensors.src(FORWARD_PACKED, "src", src, stream);
    long packedAddress = packed(FORWARD_PACKED, packed, stream);
    long biasAddress = tensors.bias(FORWARD_PACKED, "bias", bias, stream);
    long residualAddress =
        residual == null ? 0 : tensors.dst(FORWARD_PACKED, "residual", residual, stream);
    long dstAddress = tensors.dst(FORWARD_PACKED, "dst", dst, stream);
    Checks.disjoint(FORWARD_PACKED, "dst", dst, "src", src);
    Checks.sameOrDisjoint(FORWARD_PACKED, "dst", dst, "residual", residual);
    Status.check(
        Fusewire.fw_conv_forward_packed(
            handle,
            tensors.problem(),
            srcAddress,
            packedAddress,
            biasAddress,
            residualAddress,
            place.code(),
            dstAddress));
    Checks.reachable(src, packed, bias, residual);
    Checks.reachable(dst, null, null, null);
  }

  private long packed(String operation, Tensor packed, Stream stream) {
    return Checks.tensor(operation, "packed", packed, stream, DType.U8, packedBytes(stream));
  }

  /**
   * Computes the gradient of the source.
   *
   * @param stream where it runs
   * @param diffDst gradient of the result before the activation, (batch, outHeight, outWidth,
   *     outChannels)
   * @param weights (outChannels, kernelHeight, kernelWidth, inChannels), F32
   * @param diffSrc (batch, inHeight, inWidth, inChannels), overwritten; shares no memory with
   *     diffDst
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void backwardData(
      Stream stream, Tensor diffDst, Tensor weights, Tensor diffSrc, Tensor workspace) {
    long handle = Checks.stream(DATA, stream);
    long diffDstAddress = tensors.dst(DATA, "diffDst", diffDst, stream);
    long weightsAddress = tensors.denseWeights(DATA, "weights", weights, stream);
    long diffSrcAddress = tensors.src(DATA, "diffSrc", diffSrc, stream);
    long workspaceAddress = Checks.workspace(DATA, workspace, stream);
    Checks.disjoint(DATA, "diffSrc", diffSrc, "diffDst", diffDst);
    Status.check(
        Fusewire.fw_conv_backward_data(
            handle,
            tensors.problem(),
            diffDstAddress,
            weightsAddress,
            diffSrcAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(diffDst, weights, diffSrc, workspace);
  }

  /**
   * Computes the gradients of the weights and the bias.
   *
   * @param stream where it runs
   * @param src (batch, inHeight, inWidth, inChannels)
   * @param diffDst gradient of the result before the activation, (batch, outHeight, outWidth,
   *     outChannels)
   * @param diffWeights (outChannels, kernelHeight, kernelWidth, inChannels), F32, overwritten
   * @param diffBias (outChannels), F32, overwritten; or null
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void backwardWeights(
      Stream stream,
      Tensor src,
      Tensor diffDst,
      Tensor diffWeights,
      Tensor diffBias,
      Tensor workspace) {
    long handle = Checks.stream(WEIGHTS, stream);
    long srcAddress = tensors.src(WEIGHTS, "src", src, stream);
    long diffDstAddress = tensors.dst(WEIGHTS, "diffDst", diffDst, stream);
    long diffWeightsAddress = tensors.denseWeights(WEIGHTS, "diffWeights", diffWeights, stream);
    long diffBiasAddress = tensors.bias(WEIGHTS, "diffBias", diffBias, stream);
    long workspaceAddress = Checks.workspace(WEIGHTS, workspace, stream);
    Status.check(
        Fusewire.fw_conv_backward_weights(
            handle,
            tensors.problem(),
            srcAddress,
            diffDstAddress,
            diffWeightsAddress,
            diffBiasAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(src, diffDst, diffWeights, diffBias);
    Checks.reachable(workspace, null, null, null);
  }
}
