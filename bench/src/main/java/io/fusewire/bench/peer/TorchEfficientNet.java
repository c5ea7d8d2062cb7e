// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

import io.fusewire.model.MBConv;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * EfficientNet in libtorch, as its users write it: channels-last tensors, one library call per
 * operation, no dropout and no drop-connect.
 */
public final class TorchEfficientNet {
  private static final long[] ONE = {1, 1};
  private static final long[] PIXELS = {2, 3};

  private final PeerNetwork net;
  private final Map<String, Tensor> parameters = new LinkedHashMap<>();
  private final Map<String, Tensor> buffers = new LinkedHashMap<>();
  private final TensorOptional none = new TensorOptional();
  private final double momentum;

  /**
   * Copies the weights into libtorch tensors.
   *
   * @param net sizes and weights
   * @param momentum of the running statistics, in PyTorch's sense
   * @param threads intra-operation threads, for the whole process
   */
  public TorchEfficientNet(PeerNetwork net, double momentum, int threads) {
    this.net = net;
    this.momentum = momentum;
    LibtorchThreads.set(threads);
    convolution("conv_stem", net.stemChannels(), 3, 3);
    norm("bn1", net.stemChannels());
    int last = net.stemChannels();
    for (MBConv block : net.blocks()) {
      PeerNetwork.BlockNames names = PeerNetwork.BlockNames.of(block);
      int expanded = block.expandedChannels();
      if (block.expands()) {
        convolution(names.expand(), expanded, block.inChannels(), 1);
        norm(names.expandNorm(), expanded);
      }
      convolution(names.depthwise(), expanded, 1, block.kernel());
      norm(names.depthwiseNorm(), expanded);
      convolution(block.prefix() + ".se.conv_reduce", block.squeezedChannels(), expanded, 1);
      vector(block.prefix() + ".se.conv_reduce.bias", block.squeezedChannels());
      convolution(block.prefix() + ".se.conv_expand", expanded, block.squeezedChannels(), 1);
      vector(block.prefix() + ".se.conv_expand.bias", expanded);
      convolution(names.project(), block.outChannels(), expanded, 1);
      norm(names.projectNorm(), block.outChannels());
      last = block.outChannels();
    }
    convolution("conv_head", net.headChannels(), last, 1);
    norm("bn2", net.headChannels());
    parameter("classifier.weight", false, net.classes(), net.headChannels());
    vector("classifier.bias", net.classes());
  }

  private void convolution(String name, long out, long in, long kernel) {
    parameter(name + ".weight", true, out, in, kernel, kernel);
  }

  private void norm(String name, long channels) {
    vector(name + ".weight", channels);
    vector(name + ".bias", channels);
    buffers.put(name + ".running_mean", tensor(name + ".running_mean", channels));
    buffers.put(name + ".running_var", tensor(name + ".running_var", channels));
  }

  private void vector(String name, long size) {
    parameter(name, false, size);
  }

  private void parameter(String name, boolean image, long... shape) {
    Tensor value = tensor(name, shape);
    if (image) {
      value = value.contiguous(torch.MemoryFormat.ChannelsLast);
    }
    value.requires_grad_(true);
    parameters.put(name, value);
  }

  private Tensor tensor(String name, long... shape) {
    return torch.tensor(net.weight(name)).view(shape).clone();
  }

  /**
   * Makes an input image batch.
   *
   * @param nhwc values, batch, height, width, 3
   * @param batch images
   * @param size height and width in pixels
   * @return a channels-last tensor (batch, 3, size, size)
   */
  public Tensor images(float[] nhwc, long batch, long size) {
    try (PointerScope scope = new PointerScope()) {
      Tensor flat = torch.tensor(nhwc).view(batch, size, size, 3);
      Tensor images = flat.permute(0, 3, 1, 2).contiguous(torch.MemoryFormat.ChannelsLast);
      return images.retainReference();
    }
  }

  /**
   * One forward and backward pass in training mode; the gradients are left in the parameters.
   *
   * @param images a channels-last batch
   * @param labels int64 (batch)
   * @return the loss
   */
  public float step(Tensor images, Tensor labels) {
    try (PointerScope scope = new PointerScope()) {
      for (Tensor parameter : parameters.values()) {
        parameter.mutable_grad().reset();
      }
      Tensor loss = torch.cross_entropy_loss(forward(images, true), labels);
      loss.backward();
      return loss.item_float();
    }
  }

  /**
   * Makes some steps on the same images, all of class 0.
   *
   * @param nhwc values, batch, height, width, 3
   * @param batch images
   * @param size height and width in pixels
   * @param steps how many
   */
  public void train(float[] nhwc, int batch, int size, int steps) {
    Tensor images = images(nhwc, batch, size);
    Tensor labels = torch.tensor(new long[batch]);
    for (int step = 0; step < steps; step++) {
      step(images, labels);
    }
  }

  /**
   * Inference.
   *
   * @param images a channels-last batch
   * @return logits (batch, classes), row by row
   */
  public float[] predict(Tensor images) {
    try (PointerScope scope = new PointerScope();
        AutoGradMode off = new AutoGradMode(false)) {
      Tensor logits = forward(images, false).contiguous();
      float[] values = new float[Math.toIntExact(logits.numel())];
      logits.data_ptr_float().get(values);
      return values;
    }
  }

  /**
   * A parameter's gradient after {@link #step}.
   *
   * @param name timm's name
   * @return its values in PyTorch's layout
   */
  public float[] gradient(String name) {
    try (PointerScope scope = new PointerScope()) {
      Tensor gradient = parameters.get(name).grad().contiguous();
      float[] values = new float[Math.toIntExact(gradient.numel())];
      gradient.data_ptr_float().get(values);
      return values;
    }
  }

  private Tensor forward(Tensor images, boolean training) {
    Tensor x = convolve(images, "conv_stem", 3, 2, 1);
    x = torch.silu_(normalise(x, "bn1", training));
    for (MBConv block : net.blocks()) {
      x = block(x, block, training);
    }
    x = torch.silu_(normalise(convolve(x, "conv_head", 1, 1, 1), "bn2", training));
    x = torch.mean(x, PIXELS, false, new ScalarTypeOptional());
    return torch.linear(x, parameters.get("classifier.weight"), optional("classifier.bias"));
  }

  private Tensor block(Tensor input, MBConv block, boolean training) {
    PeerNetwork.BlockNames names = PeerNetwork.BlockNames.of(block);
    Tensor x = input;
    if (block.expands()) {
      x =
          torch.silu_(
              normalise(convolve(x, names.expand(), 1, 1, 1), names.expandNorm(), training));
    }
    x = convolve(x, names.depthwise(), block.kernel(), block.stride(), block.expandedChannels());
    x = torch.silu_(normalise(x, names.depthwiseNorm(), training));
    Tensor gate = torch.mean(x, PIXELS, true, new ScalarTypeOptional());
    gate = torch.silu_(biased(gate, block.prefix() + ".se.conv_reduce"));
    gate = torch.sigmoid(biased(gate, block.prefix() + ".se.conv_expand"));
    x = torch.mul(x, gate);
    x = normalise(convolve(x, names.project(), 1, 1, 1), names.projectNorm(), training);
    return block.residual() ? x.add_(input) : x;
  }

  private Tensor convolve(Tensor x, String name, long kernel, long stride, long groups) {
    long[] padding = {kernel / 2, kernel / 2};
    long[] strides = {stride, stride};
    return torch.conv2d(x, parameters.get(name + ".weight"), none, strides, padding, ONE, groups);
  }

  private Tensor biased(Tensor x, String name) {
    return torch.conv2d(
        x, parameters.get(name + ".weight"), optional(name + ".bias"), ONE, new long[2], ONE, 1);
  }

  private Tensor normalise(Tensor x, String name, boolean training) {
    return torch.batch_norm(
        x,
        optional(name + ".weight"),
        optional(name + ".bias"),
        new TensorOptional(buffers.get(name + ".running_mean")),
        new TensorOptional(buffers.get(name + ".running_var")),
        training,
        momentum,
        net.epsilon(),
        false);
  }

  private TensorOptional optional(String name) {
    return new TensorOptional(parameters.get(name));
  }
}
