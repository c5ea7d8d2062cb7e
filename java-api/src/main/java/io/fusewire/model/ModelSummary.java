// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import io.fusewire.ops.DType;
import java.util.ArrayList;
import java.util.List;

/** A network's layers with shapes, parameters, multiply-adds and bytes. Needs no device. */
public final class ModelSummary {
  private final EfficientNet net;
  private final DType dtype;
  private final List<LayerSummary> layers = new ArrayList<>();
  private long height;
  private long width;
  private long channels;
  private long stored;

  private ModelSummary(EfficientNet net, DType dtype) {
    this.net = net;
    this.dtype = dtype;
    height = net.resolution();
    width = net.resolution();
    channels = net.inputChannels();
    convolution("conv_stem", "conv", 3, 2, net.stemChannels(), 1);
    norm("bn1", "BatchNorm + SiLU");
    net.blocks().forEach(this::block);
    convolution("conv_head", "pointwise", 1, 1, net.headChannels(), 1);
    norm("bn2", "BatchNorm + SiLU");
    String before = shape();
    long elements = height * width * channels;
    add("pool", "mean", before, "1x1x" + channels, 0, 0, elements * dtype.bytes() + channels * 4);
    long classes = net.classes();
    long parameters = (channels + 1) * classes;
    add(
        "classifier",
        net.samples() == 1 ? "dropout + linear" : net.samples() + "-sample dropout + linear",
        "1x1x" + channels,
        "1x1x" + classes,
        parameters,
        channels * classes,
        (parameters + channels + classes) * 4);
  }

  /**
   * Summarises a network.
   *
   * @param net the network
   * @param dtype storage type of activations, for the bytes
   * @return the summary
   */
  public static ModelSummary of(EfficientNet net, DType dtype) {
    return new ModelSummary(net, dtype);
  }

  private void block(Block block) {
    BlockNames names = BlockNames.of(block);
    final String input = shape();
    long inElements = height * width * channels;
    if (block.expands()) {
      convolution(names.expand(), "pointwise", 1, 1, block.expandedChannels(), 1);
      norm(names.expandNorm(), "BatchNorm + SiLU");
    }
    convolution(
        names.depthwise(),
        "depthwise",
        block.kernel(),
        block.stride(),
        block.expandedChannels(),
        block.expandedChannels());
    norm(names.depthwiseNorm(), "BatchNorm + SiLU");
    long squeezed = block.squeezedChannels();
    long parameters = 2 * channels * squeezed + squeezed + channels;
    add(
        block.prefix() + ".se",
        "squeeze-excite to " + squeezed,
        shape(),
        shape(),
        parameters,
        2 * channels * squeezed,
        3 * height * width * channels * dtype.bytes() + parameters * 4);
    convolution(names.project(), "pointwise", 1, 1, block.outChannels(), 1);
    norm(names.projectNorm(), "BatchNorm");
    if (block.residual()) {
      add(
          block.prefix(),
          "residual",
          input,
          shape(),
          0,
          0,
          (inElements + 2 * height * width * channels) * dtype.bytes());
    }
  }

  private void convolution(
      String name, String kind, int kernel, int stride, long outChannels, long groups) {
    String before = shape();
    long in = height * width * channels;
    height = net.padding().output(height, kernel, stride);
    width = net.padding().output(width, kernel, stride);
    if (height < 1 || width < 1) {
      throw new IllegalArgumentException(
          "a resolution of %d is too small for %s: %s leaves nothing of %s"
              .formatted(net.resolution(), net.name(), name, before));
    }
    long weights = channels / groups * outChannels * kernel * kernel;
    channels = outChannels;
    long out = height * width * channels;
    stored += out;
    String type = kernel == 1 ? kind : kind + " " + kernel + "x" + kernel;
    add(
        name,
        stride == 1 ? type : type + " /" + stride,
        before,
        shape(),
        weights,
        weights * height * width,
        (in + out) * dtype.bytes() + weights * 4);
  }

  private void norm(String name, String type) {
    long elements = height * width * channels;
    add(
        name,
        type,
        shape(),
        shape(),
        2 * channels,
        0,
        2 * elements * dtype.bytes() + 4 * channels * 4);
  }

  private String shape() {
    return height + "x" + width + "x" + channels;
  }

  private void add(
      String name, String type, String in, String out, long parameters, long macs, long bytes) {
    layers.add(new LayerSummary(name, type, in, out, parameters, macs, bytes));
  }

  /**
   * The network.
   *
   * @return as given
   */
  public EfficientNet network() {
    return net;
  }

  /**
   * Storage type of activations that the bytes are for.
   *
   * @return as given
   */
  public DType dtype() {
    return dtype;
  }

  /**
   * The layers.
   *
   * @return in order
   */
  public List<LayerSummary> layers() {
    return List.copyOf(layers);
  }

  /**
   * Trained parameters of all layers.
   *
   * @return the sum
   */
  public long parameters() {
    return layers.stream().mapToLong(LayerSummary::parameters).sum();
  }

  /**
   * Multiply-adds of one image.
   *
   * @return the sum
   */
  public long macs() {
    return layers.stream().mapToLong(LayerSummary::macs).sum();
  }

  /**
   * Bytes that the layers, one by one, read and write for one image.
   *
   * @return the sum
   */
  public long bytes() {
    return layers.stream().mapToLong(LayerSummary::bytes).sum();
  }

  /**
   * Elements of all convolutions' outputs for one image, which a backward pass needs.
   *
   * @return the sum
   */
  public long convolutionOutputs() {
    return stored;
  }
}
