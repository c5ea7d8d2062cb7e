// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import java.util.ArrayList;
import java.util.List;

/** A network's layers with shapes, parameters, multiply-adds and bytes. Needs no device. */
public final class ModelSummary {
  private final Architecture net;
  private final DType dtype;
  private final List<LayerSummary> layers = new ArrayList<>();
  private long height;
  private long width;
  private long channels;
  private long stored;

  private ModelSummary(Architecture net, DType dtype) {
    this.net = net;
    this.dtype = dtype;
    height = net.resolution();
    width = net.resolution();
    channels = net.inputChannels();
    net.stem().forEach(this::layer);
    if (net.stemPool()) {
      pool("maxpool", "max 3x3 /2", 3, 1);
    }
    net.blocks().forEach(this::block);
    net.head().ifPresent(this::layer);
    String before = shape();
    long elements = height * width * channels;
    add("pool", "mean", before, "1x1x" + channels, 0, 0, elements * dtype.bytes() + channels * 4);
    long classes = net.classes();
    long parameters = (channels + 1) * classes;
    add(
        net.classifier(),
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
  public static ModelSummary of(Architecture net, DType dtype) {
    return new ModelSummary(net, dtype);
  }

  private void block(Block block) {
    final long[] input = {height, width, channels};
    List<ConvNorm> layers = block.convolutions();
    int last = layers.size() - 1;
    layers.subList(0, last).forEach(this::layer);
    block.squeeze().ifPresent(this::squeeze);
    layer(layers.get(last));
    if (!block.residual()) {
      return;
    }
    final long[] output = {height, width, channels};
    if (block.shortcut().isPresent()) {
      Shortcut shortcut = block.shortcut().get();
      height = input[0];
      width = input[1];
      channels = input[2];
      if (shortcut.averagePool()) {
        pool(shortcut.conv().conv() + " pool", "mean 2x2 /2", 2, 0);
      }
      layer(shortcut.conv());
    }
    height = output[0];
    width = output[1];
    channels = output[2];
    String sum =
        block.sumActivation() == Activation.IDENTITY ? "" : " + " + label(block.sumActivation());
    long elements = height * width * channels;
    add(block.prefix(), "residual" + sum, shape(), shape(), 0, 0, 3 * elements * dtype.bytes());
  }

  private void squeeze(Squeeze squeeze) {
    long squeezed = squeeze.squeezed();
    long parameters = 2 * channels * squeezed + squeezed + channels;
    add(
        squeeze.name(),
        "squeeze-excite to " + squeezed,
        shape(),
        shape(),
        parameters,
        2 * channels * squeezed,
        3 * height * width * channels * dtype.bytes() + parameters * 4);
  }

  /** Pooling with stride 2; what of a window lies beyond the edge does not count. */
  private void pool(String name, String type, int kernel, int padding) {
    String before = shape();
    long in = height * width * channels;
    // Of the mean, ceil_mode: (size + 1) / 2 either way.
    height = (height + 2L * padding - kernel + (padding == 0 ? 1 : 0)) / 2 + 1;
    width = (width + 2L * padding - kernel + (padding == 0 ? 1 : 0)) / 2 + 1;
    add(name, type, before, shape(), 0, 0, (in + height * width * channels) * dtype.bytes());
  }

  private void layer(ConvNorm layer) {
    String before = shape();
    long in = height * width * channels;
    height = net.padding().output(height, layer.kernel(), layer.stride());
    width = net.padding().output(width, layer.kernel(), layer.stride());
    if (height < 1 || width < 1) {
      throw new IllegalArgumentException(
          "a resolution of %d is too small for %s: %s leaves nothing of %s"
              .formatted(net.resolution(), net.name(), layer.conv(), before));
    }
    long weights = layer.weights();
    channels = layer.outChannels();
    long out = height * width * channels;
    stored += out;
    String kind =
        switch (layer.kind()) {
          case DENSE -> "conv";
          case DEPTHWISE -> "depthwise";
          case POINTWISE -> "pointwise";
        };
    int kernel = layer.kernel();
    String type =
        layer.kind() == ConvNorm.Kind.POINTWISE ? kind : kind + " " + kernel + "x" + kernel;
    add(
        layer.conv(),
        layer.stride() == 1 ? type : type + " /" + layer.stride(),
        before,
        shape(),
        weights,
        weights * height * width,
        (in + out) * dtype.bytes() + weights * 4);
    norm(layer.norm(), layer.activation());
  }

  private void norm(String name, Activation activation) {
    long elements = height * width * channels;
    add(
        name,
        activation == Activation.IDENTITY ? "BatchNorm" : "BatchNorm + " + label(activation),
        shape(),
        shape(),
        2 * channels,
        0,
        2 * elements * dtype.bytes() + 4 * channels * 4);
  }

  private static String label(Activation activation) {
    return switch (activation) {
      case IDENTITY -> "none";
      case SILU -> "SiLU";
      case RELU -> "ReLU";
      case RELU6 -> "ReLU6";
    };
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
  public Architecture network() {
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
