// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import io.fusewire.binding.SqueezedDepthwiseProblem;

/**
 * Depthwise convolution for inference that also sums what it stores over pixels, for the
 * squeeze-and-excite that follows ({@link SqueezedGate}); if wanted, with the pointwise expansion
 * before it in the same kernel, whose result is never stored.
 *
 * <pre>
 * x    = src, or expandActivation(src * transpose(expandWeights) + expandBias)
 * dst  = activation(depthwise(x) + bias)
 * sums = sums of dst over the pixels of each chunk of an image
 * </pre>
 *
 * Activations are NHWC in the storage type; weights, biases and sums are F32. All tensors are on
 * the stream's device. Every method throws {@link IllegalArgumentException} for a tensor that does
 * not fit and {@link IllegalStateException} for a closed one, before anything is launched. One
 * object may serve any number of streams and threads.
 */
public final class SqueezedDepthwise {
  private static final String NAME = "SqueezedDepthwise";
  private static final String FORWARD = "SqueezedDepthwise.forward";

  private final ConvShape shape;
  private final DType dtype;
  private final long inChannels;
  private final ConvTensors tensors;
  private final PointwiseConv expansion;
  private final SqueezedDepthwiseProblem problem;
  private volatile Chunks chunks;

  /** Chunks of an image on a device, kept so that a call need not ask for them. */
  private record Chunks(Device device, long count) {}

  /**
   * Describes a depthwise convolution of src itself.
   *
   * @param shape its size, with inChannels equal to outChannels
   * @param dtype storage type of src and dst
   * @param activation applied to the result
   * @throws IllegalArgumentException if the numbers of channels differ or dtype is not floating
   */
  public SqueezedDepthwise(ConvShape shape, DType dtype, Activation activation) {
    this(shape, dtype, activation, 0, Activation.IDENTITY);
  }

  private SqueezedDepthwise(
      ConvShape shape,
      DType dtype,
      Activation activation,
      long expandFrom,
      Activation expandActivation) {
    this.tensors = new ConvTensors(NAME, shape, dtype, activation);
    Checks.notNull(NAME, "expandActivation", expandActivation);
    if (shape.inChannels() != shape.outChannels()) {
      throw new IllegalArgumentException(
          NAME
              + ": inChannels is "
              + shape.inChannels()
              + " and outChannels "
              + shape.outChannels()
              + ", equal ones fit");
    }
    this.shape = shape;
    this.dtype = dtype;
    this.inChannels = expandFrom > 0 ? expandFrom : shape.inChannels();
    this.expansion =
        expandFrom > 0
            ? new PointwiseConv(
                shape.batch() * shape.inHeight() * shape.inWidth(),
                expandFrom,
                shape.inChannels(),
                dtype,
                expandActivation)
            : null;
    this.problem =
        Struct.allocate(SqueezedDepthwiseProblem.class, SqueezedDepthwiseProblem::new)
            .conv(tensors.problem())
            .expand_from(expandFrom)
            .expand_activation(expandActivation.code());
  }

  /**
   * Describes a depthwise convolution of the expanded src.
   *
   * @param shape size of the depthwise convolution, with inChannels equal to outChannels; 3x3, 5x5
   *     or 7x7 with stride 1 or 2 and no dilation, or else {@link #chunks} refuses it
   * @param dtype storage type of src and dst
   * @param activation applied to the result
   * @param expandFrom channels of src
   * @param expandActivation applied to the expansion
   * @return the operation
   * @throws IllegalArgumentException if a size does not fit or dtype is not floating
   */
  public static SqueezedDepthwise expanding(
      ConvShape shape,
      DType dtype,
      Activation activation,
      long expandFrom,
      Activation expandActivation) {
    Checks.positive(NAME, "expandFrom", expandFrom);
    return new SqueezedDepthwise(shape, dtype, activation, expandFrom, expandActivation);
  }

  /**
   * Chunks that an image's pixels are summed in: the size of sums' second axis.
   *
   * @param stream a stream of the device in question
   * @return at least 1
   * @throws UnsupportedException if the expansion of this shape cannot be made on chip
   */
  public long chunks(Stream stream) {
    String operation = "SqueezedDepthwise.chunks";
    Checks.stream(operation, stream);
    Chunks known = chunks;
    if (known == null || known.device() != stream.device()) {
      long count = ByteCount.of(operation, stream, problem, Fusewire::fw_squeezed_depthwise_chunks);
      known = new Chunks(stream.device(), count);
      chunks = known;
    }
    return known.count();
  }

  /**
   * Computes the convolution and the sums.
   *
   * @param stream where it runs
   * @param src (batch, inHeight, inWidth, expandFrom or channels)
   * @param expandWeights weights (channels, expandFrom) as {@link PointwiseConv#pack} wrote them on
   *     this device; null without expansion
   * @param expandBias (channels), F32; null without expansion
   * @param weights (kernelHeight, kernelWidth, channels), F32
   * @param bias (channels), F32
   * @param dst (batch, outHeight, outWidth, channels), overwritten; shares no memory with src
   * @param sums (batch, {@link #chunks}, channels), F32, overwritten
   */
  public void forward(
      Stream stream,
      Tensor src,
      Tensor expandWeights,
      Tensor expandBias,
      Tensor weights,
      Tensor bias,
      Tensor dst,
      Tensor sums) {
    long handle = Checks.stream(FORWARD, stream);
    long channels = shape.inChannels();
    long srcAddress =
        Checks.tensor(
            FORWARD,
            "src",
            src,
            stream,
            dtype,
            shape.batch(),
            shape.inHeight(),
            shape.inWidth(),
            inChannels);
    long expandWeightsAddress = 0;
    long expandBiasAddress = 0;
    if (expansion != null) {
      expandWeightsAddress = expansion.packed(FORWARD, "expandWeights", expandWeights, stream);
      expandBiasAddress =
          Checks.tensor(FORWARD, "expandBias", expandBias, stream, DType.F32, channels);
    } else if (expandWeights != null || expandBias != null) {
      throw new IllegalArgumentException(
          FORWARD + ": there is no expansion, so that null fits as expandWeights and expandBias");
    }
    long weightsAddress = tensors.depthwiseWeights(FORWARD, "weights", weights, stream);
    long biasAddress = Checks.tensor(FORWARD, "bias", bias, stream, DType.F32, channels);
    long dstAddress = tensors.dst(FORWARD, "dst", dst, stream);
    long sumsAddress =
        Checks.tensor(
            FORWARD, "sums", sums, stream, DType.F32, shape.batch(), chunks(stream), channels);
    Checks.disjoint(FORWARD, "dst", dst, "src", src);
    Checks.disjoint(FORWARD, "sums", sums, "src", src);
    Checks.disjoint(FORWARD, "sums", sums, "dst", dst);
    Status.check(
        Fusewire.fw_squeezed_depthwise_forward(
            handle,
            problem,
            srcAddress,
            expandWeightsAddress,
            expandBiasAddress,
            weightsAddress,
            biasAddress,
            dstAddress,
            sumsAddress));
    Checks.reachable(src, expandWeights, expandBias, weights);
    Checks.reachable(bias, dst, sums, null);
  }
}
