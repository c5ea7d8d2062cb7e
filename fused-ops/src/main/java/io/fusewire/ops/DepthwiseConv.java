// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;

/**
 * Depthwise convolution: every channel has a filter of its own.
 *
 * <pre>
 * dst[n,p,q,c] = act(bias[c] + sum over r,s of src[n, p*sh-pt+r*dh, q*sw-pl+s*dw, c] * weights[r,s,c])
 * </pre>
 *
 * Activations are NHWC in the storage type; weights (kernelHeight, kernelWidth, channels), bias
 * (channels) and their gradients are F32. All tensors are on the stream's device. Every method
 * throws {@link IllegalArgumentException} for a tensor that does not fit and {@link
 * IllegalStateException} for a closed one, before anything is launched. One object may serve any
 * number of streams and threads.
 */
public final class DepthwiseConv {
  private static final String FORWARD = "DepthwiseConv.forward";
  private static final String DATA = "DepthwiseConv.backwardData";
  private static final String WEIGHTS = "DepthwiseConv.backwardWeights";

  private final ConvTensors tensors;

  /**
   * Describes a depthwise convolution.
   *
   * @param shape its size, with inChannels equal to outChannels
   * @param dtype storage type of src, dst and their gradients
   * @param activation applied to the result by {@link #forward}
   * @throws IllegalArgumentException if the numbers of channels differ or dtype is not floating
   */
  public DepthwiseConv(ConvShape shape, DType dtype, Activation activation) {
    this.tensors = new ConvTensors("DepthwiseConv", shape, dtype, activation);
    if (shape.inChannels() != shape.outChannels()) {
      throw new IllegalArgumentException(
          "DepthwiseConv: inChannels is "
              + shape.inChannels()
              + " and outChannels "
              + shape.outChannels()
              + ", equal ones fit");
    }
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
        "DepthwiseConv.workspaceBytes",
        stream,
        tensors.problem(),
        Fusewire::fw_depthwise_workspace);
  }

  /**
   * Computes the convolution.
   *
   * @param stream where it runs
   * @param src (batch, inHeight, inWidth, channels)
   * @param weights (kernelHeight, kernelWidth, channels), F32
   * @param bias (channels), F32, or null
   * @param dst (batch, outHeight, outWidth, channels), overwritten; shares no memory with src
   */
  public void forward(Stream stream, Tensor src, Tensor weights, Tensor bias, Tensor dst) {
    long handle = Checks.stream(FORWARD, stream);
    long srcAddress = tensors.src(FORWARD, "src", src, stream);
    long weightsAddress = tensors.depthwiseWeights(FORWARD, "weights", weights, stream);
    long biasAddress = tensors.bias(FORWARD, "bias", bias, stream);
    long dstAddress = tensors.dst(FORWARD, "dst", dst, stream);
    Checks.disjoint(FORWARD, "dst", dst, "src", src);
    Status.check(
        Fusewire.fw_depthwise_forward(
            handle, tensors.problem(), srcAddress, weightsAddress, biasAddress, dstAddress));
    Checks.reachable(src, weights, bias, dst);
  }

  /**
   * Computes the gradient of the source.
   *
   * @param stream where it runs
   * @param diffDst gradient of the result before the activation, (batch, outHeight, outWidth,
   *     channels)
   * @param weights (kernelHeight, kernelWidth, channels), F32
   * @param diffSrc (batch, inHeight, inWidth, channels), overwritten; shares no memory with diffDst
   */
  public void backwardData(Stream stream, Tensor diffDst, Tensor weights, Tensor diffSrc) {
    long handle = Checks.stream(DATA, stream);
    long diffDstAddress = tensors.dst(DATA, "diffDst", diffDst, stream);
    long weightsAddress = tensors.depthwiseWeights(DATA, "weights", weights, stream);
    long diffSrcAddress = tensors.src(DATA, "diffSrc", diffSrc, stream);
    Checks.disjoint(DATA, "diffSrc", diffSrc, "diffDst", diffDst);
    Status.check(
        Fusewire.fw_depthwise_backward_data(
            handle, tensors.problem(), diffDstAddress, weightsAddress, diffSrcAddress));
    Checks.reachable(diffDst, weights, diffSrc, null);
  }

  /**
   * Computes the gradients of the weights and the bias.
   *
   * @param stream where it runs
   * @param src (batch, inHeight, inWidth, channels)
   * @param diffDst gradient of the result before the activation, (batch, outHeight, outWidth,
   *     channels)
   * @param diffWeights (kernelHeight, kernelWidth, channels), F32, overwritten
   * @param diffBias (channels), F32, overwritten; or null
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
    long diffWeightsAddress = tensors.depthwiseWeights(WEIGHTS, "diffWeights", diffWeights, stream);
    long diffBiasAddress = tensors.bias(WEIGHTS, "diffBias", diffBias, stream);
    long workspaceAddress = Checks.workspace(WEIGHTS, workspace, stream);
    Status.check(
        Fusewire.fw_depthwise_backward_weights(
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
