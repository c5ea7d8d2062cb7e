// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Architecture;
import io.fusewire.model.Block;
import io.fusewire.model.ConvNorm;
import io.fusewire.model.Parameter;
import io.fusewire.model.Shortcut;
import io.fusewire.model.Squeeze;
import io.fusewire.ops.Activation;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * Any of our networks in libtorch, in double, with its gradients by libtorch's autograd: what ours
 * is compared with.
 */
final class TorchOracle {
  private static final long[] ONE = {1, 1};
  private static final long[] TWO = {2, 2};
  private static final long[] PIXELS = {2, 3};

  private final Architecture net;
  private final Map<String, Tensor> tensors = new HashMap<>();
  private double nearestKink = Double.POSITIVE_INFINITY;

  private TorchOracle(Architecture net) {
    this.net = net;
  }

  /**
   * Copies weights.
   *
   * @param values a network's buffer in the kernels' layouts
   */
  TorchOracle(Architecture net, float[] values) {
    this(net);
    for (Parameter parameter : net.parameters().all()) {
      int from = (int) parameter.offset();
      float[] part =
          parameter.toFileLayout(Arrays.copyOfRange(values, from, from + (int) parameter.count()));
      double[] wide = new double[part.length];
      for (int i = 0; i < wide.length; i++) {
        wide[i] = part[i];
      }
      put(parameter, wide);
    }
  }

  /** Random choices that both sides make alike. */
  interface Masks {
    /** What a block's branch is multiplied by, for each image; null for 1. */
    double[] branch(int block);

    /**
     * What the pooled features are multiplied by (batch, channels) in one dropout sample; null for
     * 1.
     */
    double[] features(int sample);
  }

  /** Logits (batch, classes) of the network with running statistics. */
  double[] predict(double[] nhwc, int batch) {
    return values(classify(features(image(nhwc, batch), false, b -> null)));
  }

  private interface BranchMask {
    double[] of(int block);
  }

  /**
   * Forward and backward in training mode.
   *
   * @return the loss: the mean over labels that are not negative
   */
  double train(double[] nhwc, int[] labels, double smoothing, Masks masks) {
    Tensor pooled = features(image(nhwc, labels.length), true, masks::branch);
    double[] target = new double[labels.length * net.classes()];
    long counted = Arrays.stream(labels).filter(l -> l >= 0).count();
    for (int n = 0; n < labels.length; n++) {
      for (int c = 0; c < net.classes() && labels[n] >= 0; c++) {
        double hot = labels[n] == c ? 1 - smoothing : 0;
        target[n * net.classes() + c] = (hot + smoothing / net.classes()) / counted;
      }
    }
    Tensor wanted = torch.tensor(target).view(labels.length, net.classes());
    Tensor loss = null;
    Tensor sum = null;
    for (int m = 0; m < net.samples(); m++) {
      double[] mask = masks.features(m);
      Tensor kept =
          mask == null ? pooled : torch.mul(pooled, torch.tensor(mask).view(labels.length, -1));
      Tensor logits = classify(kept);
      sum = sum == null ? logits : torch.add(sum, logits);
      Tensor one = crossEntropy(logits, wanted);
      loss = loss == null ? one : torch.add(loss, one);
    }
    Scalar samples = new Scalar((double) net.samples());
    loss =
        net.averageLogits()
            ? crossEntropy(torch.div(sum, samples), wanted)
            : torch.div(loss, samples);
    loss.backward();
    return loss.item_double();
  }

  private static Tensor crossEntropy(Tensor logits, Tensor wanted) {
    return torch.neg(torch.sum(torch.mul(torch.log_softmax(logits, 1), wanted)));
  }

  /**
   * How near to a corner of ReLU or ReLU6, or to two values sharing a maximum, any value came in
   * all that was computed so far. Nearer than float rounds, gradients in float differ by more than
   * rounding, libtorch's own as well.
   */
  double nearestKink() {
    return nearestKink;
  }

  /** Forward in training mode, for what it leaves in the running statistics. */
  void pass(double[] nhwc, int batch) {
    features(image(nhwc, batch), true, b -> null);
  }

  /** The same network with the values it has now, on which nothing has been computed. */
  TorchOracle copy() {
    TorchOracle copy = new TorchOracle(net);
    for (Parameter parameter : net.parameters().all()) {
      copy.put(parameter, value(parameter.name()));
    }
    return copy;
  }

  private void near(Tensor distances) {
    nearestKink = Math.min(nearestKink, torch.min(distances).item_double());
  }

  /** Steepest descent: every parameter less its gradient times a rate; gradients start anew. */
  void descend(double rate) {
    for (Parameter parameter : net.parameters().all()) {
      if (parameter.kind().trained()) {
        double[] values = value(parameter.name());
        double[] gradient = gradient(parameter.name());
        for (int i = 0; i < values.length; i++) {
          values[i] -= rate * gradient[i];
        }
        put(parameter, values);
      }
    }
  }

  private void put(Parameter parameter, double[] values) {
    long[] shape = parameter.shape().stream().mapToLong(Integer::longValue).toArray();
    Tensor tensor = torch.tensor(values).view(shape).clone();
    tensor.requires_grad_(parameter.kind().trained());
    tensors.put(parameter.name(), tensor);
  }

  /** A parameter's gradient in PyTorch's layout. */
  double[] gradient(String name) {
    return values(tensors.get(name).grad());
  }

  /** A parameter or running statistic in PyTorch's layout. */
  double[] value(String name) {
    return values(tensors.get(name));
  }

  private static double[] values(Tensor tensor) {
    Tensor dense = tensor.contiguous();
    double[] values = new double[(int) dense.numel()];
    new DoublePointer(dense.data_ptr_double()).get(values);
    return values;
  }

  private Tensor image(double[] nhwc, int batch) {
    int side = net.resolution();
    return torch
        .tensor(nhwc)
        .view(batch, side, side, net.inputChannels())
        .permute(0, 3, 1, 2)
        .contiguous();
  }

  private Tensor classify(Tensor pooled) {
    return torch.linear(
        pooled,
        tensors.get(net.classifier() + ".weight"),
        new TensorOptional(tensors.get(net.classifier() + ".bias")));
  }

  private Tensor features(Tensor images, boolean training, BranchMask masks) {
    Tensor x = images;
    for (ConvNorm layer : net.stem()) {
      x = layer(x, layer, training);
    }
    if (net.stemPool()) {
      near(gaps(x));
      x = torch.max_pool2d(x, new long[] {3, 3}, TWO, ONE, ONE, false);
    }
    List<Block> blocks = net.blocks();
    for (int b = 0; b < blocks.size(); b++) {
      x = block(x, blocks.get(b), training, masks.of(b));
    }
    if (net.head().isPresent()) {
      x = layer(x, net.head().get(), training);
    }
    return torch.mean(x, PIXELS, false, new ScalarTypeOptional());
  }

  private Tensor block(Tensor input, Block block, boolean training, double[] mask) {
    List<ConvNorm> layers = block.convolutions();
    Tensor x = input;
    for (int i = 0; i < layers.size(); i++) {
      if (i == layers.size() - 1 && block.squeeze().isPresent()) {
        x = gated(x, block.squeeze().get());
      }
      x = layer(x, layers.get(i), training);
    }
    if (!block.residual()) {
      return x;
    }
    Tensor skip = input;
    if (block.shortcut().isPresent()) {
      Shortcut shortcut = block.shortcut().get();
      if (shortcut.averagePool()) {
        skip = torch.avg_pool2d(skip, TWO, TWO, new long[2], true, false, new LongOptional());
      }
      skip = layer(skip, shortcut.conv(), training);
    }
    Tensor branch = mask == null ? x : torch.mul(x, torch.tensor(mask).view(mask.length, 1, 1, 1));
    return activate(torch.add(branch, skip), block.sumActivation());
  }

  private Tensor gated(Tensor x, Squeeze squeeze) {
    Tensor squeezed =
        biased(torch.mean(x, PIXELS, true, new ScalarTypeOptional()), squeeze.reduce());
    squeezed = net.squeezeRelu() ? torch.relu(squeezed) : torch.silu(squeezed);
    return torch.mul(x, torch.sigmoid(biased(squeezed, squeeze.expand())));
  }

  private Tensor layer(Tensor x, ConvNorm layer, boolean training) {
    long groups = layer.kind() == ConvNorm.Kind.DEPTHWISE ? layer.inChannels() : 1;
    Tensor raw = convolve(x, layer.conv(), layer.kernel(), layer.stride(), groups);
    return activate(norm(raw, layer.norm(), training), layer.activation());
  }

  /** By how much the largest value of every 3x3 window exceeds the next; equal ones stay equal. */
  private static Tensor gaps(Tensor x) {
    Tensor windows =
        torch
            .im2col(x, new long[] {3, 3}, ONE, ONE, TWO)
            .view(x.size(0), x.size(1), 9, -1)
            .topk(2, 2, true, true)
            .get0();
    Tensor gap = torch.sub(windows.select(2, 0), windows.select(2, 1));
    return torch.where(torch.eq(gap, new Scalar(0.0)), torch.ones_like(gap), gap);
  }

  private Tensor activate(Tensor x, Activation activation) {
    if (activation == Activation.RELU || activation == Activation.RELU6) {
      near(torch.abs(x));
    }
    if (activation == Activation.RELU6) {
      near(torch.abs(torch.sub(x, new Scalar(6.0))));
    }
    return switch (activation) {
      case IDENTITY -> x;
      case SILU -> torch.silu(x);
      case RELU -> torch.relu(x);
      case RELU6 -> torch.relu6(x);
    };
  }

  private Tensor convolve(Tensor x, String name, long kernel, long stride, long groups) {
    long before = net.padding().before(x.size(2), kernel, stride);
    long after = net.padding().after(x.size(2), kernel, stride);
    Tensor padded = torch.constant_pad_nd(x, new long[] {before, after, before, after});
    return torch.conv2d(
        padded,
        tensors.get(name + ".weight"),
        new TensorOptional(),
        new long[] {stride, stride},
        new long[] {0, 0},
        ONE,
        groups);
  }

  private Tensor biased(Tensor x, String name) {
    return torch.conv2d(
        x,
        tensors.get(name + ".weight"),
        new TensorOptional(tensors.get(name + ".bias")),
        ONE,
        new long[2],
        ONE,
        1);
  }

  private Tensor norm(Tensor x, String name, boolean training) {
    return torch.batch_norm(
        x,
        new TensorOptional(tensors.get(name + ".weight")),
        new TensorOptional(tensors.get(name + ".bias")),
        new TensorOptional(tensors.get(name + ".running_mean")),
        new TensorOptional(tensors.get(name + ".running_var")),
        training,
        net.batchNormMomentum(),
        net.batchNormEpsilon(),
        false);
  }
}
