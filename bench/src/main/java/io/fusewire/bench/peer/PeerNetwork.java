// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

import io.fusewire.model.Architecture;
import io.fusewire.model.Block;
import io.fusewire.model.MBConv;
import io.fusewire.model.Padding;
import io.fusewire.model.Parameter;
import io.fusewire.ops.Activation;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * An EfficientNet as the peers need it: sizes and weights, free of any of our own execution.
 * Padding is symmetric, {@code kernel / 2}, as in the ports that the peers' users train.
 *
 * @param stemChannels channels after the stem
 * @param blocks MBConv blocks in order
 * @param headChannels channels of the head's 1x1 convolution
 * @param classes outputs of the classifier
 * @param epsilon of every BatchNorm
 * @param weights by timm's names, in PyTorch's layouts (out, in / groups, height, width)
 */
public record PeerNetwork(
    int stemChannels,
    List<MBConv> blocks,
    int headChannels,
    int classes,
    double epsilon,
    Map<String, float[]> weights) {

  /**
   * Copies the list and the map; the arrays are shared.
   *
   * @param stemChannels channels after the stem
   * @param blocks MBConv blocks in order
   * @param headChannels channels of the head's 1x1 convolution
   * @param classes outputs of the classifier
   * @param epsilon of every BatchNorm
   * @param weights by timm's names
   */
  public PeerNetwork {
    blocks = List.copyOf(blocks);
    weights = Map.copyOf(weights);
  }

  /**
   * Whether the peers can have a network, whatever its padding.
   *
   * @param net a network
   * @return true for b0 to b8 and l2
   */
  public static boolean has(Architecture net) {
    return net.blocks().stream().allMatch(PeerNetwork::has);
  }

  private static boolean has(Block block) {
    return block instanceof MBConv mbconv
        && mbconv.squeezedChannels() != 0
        && mbconv.activation() == Activation.SILU;
  }

  /**
   * Takes over one of our networks.
   *
   * @param net a network with three input channels and symmetric padding
   * @param values all its parameters and running statistics in the kernels' layouts
   * @return the same network for the peers
   */
  public static PeerNetwork of(Architecture net, float[] values) {
    if (net.padding() != Padding.SYMMETRIC || net.inputChannels() != 3) {
      throw new IllegalArgumentException(
          "the peers have symmetric padding and three input channels, not " + net);
    }
    if (!has(net)) {
      throw new IllegalArgumentException(
          "libtorch and ONNX Runtime have the networks b0 to b8 and l2 here, not " + net);
    }
    List<MBConv> blocks = new ArrayList<>();
    net.blocks().forEach(block -> blocks.add((MBConv) block));
    Map<String, float[]> weights = new LinkedHashMap<>();
    for (Parameter parameter : net.parameters().all()) {
      int begin = Math.toIntExact(parameter.offset());
      int end = Math.toIntExact(parameter.offset() + parameter.count());
      weights.put(parameter.name(), parameter.toFileLayout(Arrays.copyOfRange(values, begin, end)));
    }
    return new PeerNetwork(
        net.stem().get(0).outChannels(),
        blocks,
        net.features(),
        net.classes(),
        net.batchNormEpsilon(),
        weights);
  }

  /**
   * A weight by name.
   *
   * @param name timm's name
   * @return its values
   * @throws IllegalArgumentException if there is none of that name
   */
  public float[] weight(String name) {
    float[] values = weights.get(name);
    if (values == null) {
      throw new IllegalArgumentException("no weight is named " + name);
    }
    return values;
  }

  /**
   * Names of a block's layers: timm calls a stage-0 block's projection conv_pw and its BatchNorms
   * bn1 and bn2.
   */
  record BlockNames(
      String expand,
      String expandNorm,
      String depthwise,
      String depthwiseNorm,
      String project,
      String projectNorm) {

    static BlockNames of(MBConv block) {
      String p = block.prefix();
      return block.expands()
          ? new BlockNames(
              p + ".conv_pw", p + ".bn1", p + ".conv_dw", p + ".bn2", p + ".conv_pwl", p + ".bn3")
          : new BlockNames("", "", p + ".conv_dw", p + ".bn1", p + ".conv_pw", p + ".bn2");
    }
  }
}
