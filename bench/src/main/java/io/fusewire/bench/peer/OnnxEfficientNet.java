// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.fusewire.model.MBConv;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * EfficientNet in ONNX Runtime, CPU provider, all graph optimisations on (it folds BatchNorm into
 * the convolutions itself). The graph is the one that PyTorch's exporter makes: Conv,
 * BatchNormalization, Sigmoid and Mul for SiLU, Gemm.
 */
public final class OnnxEfficientNet implements AutoCloseable {
  private static final String INPUT = "images";

  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OrtSession session;
  private final long[] shape;

  /**
   * Makes a session for one batch size.
   *
   * @param net sizes and weights
   * @param batch images per call
   * @param size height and width in pixels
   * @param threads intra-operation threads
   * @throws OrtException if ONNX Runtime refuses the graph
   */
  public OnnxEfficientNet(PeerNetwork net, long batch, long size, int threads) throws OrtException {
    this.shape = new long[] {batch, 3, size, size};
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
      options.setIntraOpNumThreads(threads);
      options.setInterOpNumThreads(1);
      this.session = environment.createSession(new Graph(net).build(shape), options);
    }
  }

  /**
   * Inference.
   *
   * @param nchw images, batch, 3, height, width
   * @return logits (batch, classes), row by row
   * @throws OrtException if ONNX Runtime fails
   */
  public float[] predict(FloatBuffer nchw) throws OrtException {
    try (OnnxTensor images = OnnxTensor.createTensor(environment, nchw, shape);
        OrtSession.Result result = session.run(Map.of(INPUT, images))) {
      FloatBuffer logits = ((OnnxTensor) result.get(0)).getFloatBuffer();
      float[] values = new float[logits.remaining()];
      logits.get(values);
      return values;
    }
  }

  @Override
  public void close() throws OrtException {
    session.close();
  }

  /** Builds the graph. */
  private static final class Graph {
    private final PeerNetwork net;
    private final OnnxWriter writer = new OnnxWriter();

    Graph(PeerNetwork net) {
      this.net = net;
    }

    byte[] build(long[] inputShape) {
      String x = silu(normal(conv(INPUT, "conv_stem", net.stemChannels(), 3, 3, 2, 1), "bn1"));
      int channels = net.stemChannels();
      for (MBConv block : net.blocks()) {
        x = block(x, block);
        channels = block.outChannels();
      }
      x = silu(normal(conv(x, "conv_head", net.headChannels(), channels, 1, 1, 1), "bn2"));
      x = writer.node("GlobalAveragePool", List.of(x), Map.of());
      x = writer.node("Flatten", List.of(x), Map.of("axis", 1L));
      vector("classifier.bias");
      writer.constant(
          "classifier.weight", net.weight("classifier.weight"), net.classes(), net.headChannels());
      x =
          writer.node(
              "Gemm", List.of(x, "classifier.weight", "classifier.bias"), Map.of("transB", 1L));
      return writer.model(INPUT, inputShape, x, new long[] {inputShape[0], net.classes()});
    }

    private String block(String input, MBConv block) {
      PeerNetwork.BlockNames names = PeerNetwork.BlockNames.of(block);
      int expanded = block.expandedChannels();
      String x = input;
      if (block.expands()) {
        x = conv(x, names.expand(), expanded, block.inChannels(), 1, 1, 1);
        x = silu(normal(x, names.expandNorm()));
      }
      x = conv(x, names.depthwise(), expanded, 1, block.kernel(), block.stride(), expanded);
      x = silu(normal(x, names.depthwiseNorm()));
      String gate = writer.node("GlobalAveragePool", List.of(x), Map.of());
      gate =
          silu(
              biased(gate, block.prefix() + ".se.conv_reduce", block.squeezedChannels(), expanded));
      gate = biased(gate, block.prefix() + ".se.conv_expand", expanded, block.squeezedChannels());
      x = writer.node("Mul", List.of(x, writer.node("Sigmoid", List.of(gate), Map.of())), Map.of());
      x =
          normal(
              conv(x, names.project(), block.outChannels(), expanded, 1, 1, 1),
              names.projectNorm());
      return block.residual() ? writer.node("Add", List.of(x, input), Map.of()) : x;
    }

    private String conv(
        String x, String name, long out, long in, long kernel, long stride, long groups) {
      writer.constant(name + ".weight", net.weight(name + ".weight"), out, in, kernel, kernel);
      return writer.node(
          "Conv", List.of(x, name + ".weight"), convAttributes(kernel, stride, groups));
    }

    private String biased(String x, String name, long out, long in) {
      writer.constant(name + ".weight", net.weight(name + ".weight"), out, in, 1, 1);
      vector(name + ".bias");
      return writer.node(
          "Conv", List.of(x, name + ".weight", name + ".bias"), convAttributes(1, 1, 1));
    }

    private static Map<String, Object> convAttributes(long kernel, long stride, long groups) {
      long pad = kernel / 2;
      Map<String, Object> attributes = new TreeMap<>();
      attributes.put("group", groups);
      attributes.put("kernel_shape", new long[] {kernel, kernel});
      attributes.put("pads", new long[] {pad, pad, pad, pad});
      attributes.put("strides", new long[] {stride, stride});
      return attributes;
    }

    private String normal(String x, String name) {
      List<String> inputs =
          List.of(
              x, name + ".weight", name + ".bias", name + ".running_mean", name + ".running_var");
      inputs.subList(1, inputs.size()).forEach(this::vector);
      return writer.node("BatchNormalization", inputs, Map.of("epsilon", (float) net.epsilon()));
    }

    private String silu(String x) {
      return writer.node("Mul", List.of(x, writer.node("Sigmoid", List.of(x), Map.of())), Map.of());
    }

    private void vector(String name) {
      float[] values = net.weight(name);
      writer.constant(name, values, values.length);
    }
  }
}
