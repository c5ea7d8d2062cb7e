// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.peer.OnnxEfficientNet;
import io.fusewire.bench.peer.PeerNetwork;
import io.fusewire.bench.peer.TorchEfficientNet;
import io.fusewire.graph.InferenceNetwork;
import io.fusewire.graph.TrainingNetwork;
import io.fusewire.graph.TrainingState;
import io.fusewire.model.Architecture;
import io.fusewire.model.ArchitectureBuilder;
import io.fusewire.model.Padding;
import io.fusewire.ops.DType;
import io.fusewire.ops.OptimizerSettings;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.global.torch;

/**
 * A whole network beside libtorch and ONNX Runtime: same weights, same images, same threads, no
 * dropout and no drop-connect. Every case compares results before it measures.
 */
final class ModelCases {
  /** What B0 at its own resolution aims at on a CPU; other networks are only measured. */
  private static final double TRAIN_AIM = 0.4;

  private static final double INFERENCE_AIM = 1.0;

  /** Two f32 networks of a hundred layers that compute the same differ by less. */
  private static final double WORST_ERROR = 1e-3;

  static final double PYTORCH_EPSILON = 1e-5;
  static final double PYTORCH_MOMENTUM = 0.1;

  private final Stream stream;
  private final int threads;
  private final Rounds rounds;
  private final Architecture net;
  private final float[] values;
  private final PeerNetwork architecture;
  private final TorchEfficientNet torchNet;
  private final boolean withOnnx;

  /** Beside either peer or both. */
  ModelCases(
      Stream stream,
      int threads,
      Rounds rounds,
      ArchitectureBuilder<?> model,
      boolean libtorch,
      boolean onnxRuntime) {
    withOnnx = onnxRuntime;
    this.stream = stream;
    this.threads = threads;
    this.rounds = rounds;
    net =
        model
            .padding(Padding.SYMMETRIC)
            .batchNorm(PYTORCH_EPSILON, PYTORCH_MOMENTUM)
            .dropout(0)
            .dropConnect(0)
            .samples(1)
            .build();
    values = net.parameters().initialValues(1);
    architecture = libtorch || onnxRuntime ? PeerNetwork.of(net, values) : null;
    torchNet = libtorch ? new TorchEfficientNet(architecture, PYTORCH_MOMENTUM, threads) : null;
  }

  private double aim(double ofB0) {
    return net.name().equals("b0") && net.resolution() == 224 ? ofB0 : Double.NaN;
  }

  private String name(String what, int batch) {
    return "%s@%d/%s/batch%d/f32".formatted(net.name(), net.resolution(), what, batch);
  }

  private float[] images(int batch) {
    Random random = new Random(batch);
    float[] images = new float[batch * net.resolution() * net.resolution() * 3];
    for (int i = 0; i < images.length; i++) {
      images[i] = (float) random.nextGaussian();
    }
    return images;
  }

  /** Whether libtorch takes part, without which training is not measured. */
  boolean withLibtorch() {
    return torchNet != null;
  }

  /** One forward and backward pass with the loss, beside libtorch's. */
  Measurement train(int batch) throws Exception {
    float[] images = images(batch);
    int[] labels = new int[batch];
    long[] longLabels = new long[batch];
    for (int i = 0; i < batch; i++) {
      labels[i] = i * 37 % net.classes();
      longLabels[i] = labels[i];
    }
    var torchImages = torchNet.images(images, batch, net.resolution());
    var torchLabels = torch.tensor(longLabels);
    try (TrainingState state =
            new TrainingState(stream, net.parameters(), OptimizerSettings.Kind.SGD, false, 1);
        TrainingNetwork ours =
            TrainingNetwork.open(stream, net, batch, DType.F32, null, 0, state)) {
      state.values().load(stream, values);
      ours.images().copyFrom(stream, images);
      ours.labels().copyFrom(stream, labels);
      ours.run();
      torchNet.step(torchImages, torchLabels);
      double error = 0;
      for (String weight :
          List.of("conv_stem.weight", "blocks.3.1.conv_dw.weight", "conv_head.weight")) {
        var parameter = net.parameters().get(weight);
        float[] gradient = parameter.toFileLayout(state.gradients().of(parameter).toFloats(stream));
        error = Math.max(error, relativeError(gradient, torchNet.gradient(weight)));
      }
      requireClose(name("train", batch), error);
      List<Timing> timings =
          rounds.measure(
              List.of(
                  () -> {
                    ours.run();
                    stream.synchronize();
                  },
                  () -> torchNet.step(torchImages, torchLabels)));
      return new Measurement(
          name("train", batch),
          "time",
          "libtorch",
          timings.get(0),
          timings.get(1),
          aim(TRAIN_AIM),
          error);
    }
  }

  /** Our own training step with all threads beside the same with one. */
  Measurement scaling(int batch) throws Exception {
    float[] images = images(batch);
    int[] labels = new int[batch];
    List<Rounds.Run> contenders = new ArrayList<>();
    List<AutoCloseable> open = new ArrayList<>();
    try {
      for (int n : new int[] {threads, 1}) {
        Stream q = Stream.open(stream.device()).threads(n);
        open.add(q);
        TrainingState state =
            new TrainingState(q, net.parameters(), OptimizerSettings.Kind.SGD, false, 1);
        open.add(state);
        TrainingNetwork network = TrainingNetwork.open(q, net, batch, DType.F32, null, 0, state);
        open.add(network);
        state.values().load(q, values);
        network.images().copyFrom(q, images);
        network.labels().copyFrom(q, labels);
        contenders.add(
            () -> {
              network.run();
              q.synchronize();
            });
      }
      List<Timing> timings = rounds.measure(contenders);
      return new Measurement(
          name("train", batch),
          "time",
          "one thread",
          timings.get(0),
          timings.get(1),
          Double.NaN,
          Double.NaN);
    } finally {
      for (int i = open.size() - 1; i >= 0; i--) {
        open.get(i).close();
      }
    }
  }

  /** Inference beside ONNX Runtime and libtorch, all in the same rounds. */
  List<Measurement> infer(int batch) throws Exception {
    float[] images = images(batch);
    FloatBuffer nchw = transposed(images, batch);
    try (InferenceNetwork ours = InferenceNetwork.open(stream, net, batch, DType.F32, null, null);
        OnnxEfficientNet onnx =
            withOnnx
                ? new OnnxEfficientNet(architecture, batch, net.resolution(), threads)
                : null) {
      ours.load(values);
      Tensor input = ours.images().copyFrom(stream, images);
      ours.run();
      float[] logits = ours.logits().toFloats(stream);
      List<Rounds.Run> runs = new ArrayList<>();
      runs.add(
          () -> {
            // Each contender is given fresh images and gives back logits on the heap.
            input.copyFrom(stream, images);
            ours.run();
            ours.logits().copyTo(stream, logits);
          });
      List<Rival> rivals = new ArrayList<>();
      if (withOnnx) {
        double error = relativeError(logits, onnx.predict(nchw.duplicate()));
        rivals.add(new Rival("onnxruntime", aim(INFERENCE_AIM), error));
        runs.add(() -> onnx.predict(nchw.duplicate()));
      }
      if (torchNet != null) {
        var torchImages = torchNet.images(images, batch, net.resolution());
        // Before any training step, so that its running statistics are still the given ones.
        double error = relativeError(logits, torchNet.predict(torchImages));
        rivals.add(new Rival("libtorch", Double.NaN, error));
        runs.add(() -> torchNet.predict(torchImages));
      }
      rivals.forEach(
          rival -> requireClose(name("infer", batch) + " (" + rival.name() + ")", rival.error()));
      List<Timing> timings = rounds.measure(runs);
      List<Measurement> measurements = new ArrayList<>();
      for (int i = 0; i < rivals.size(); i++) {
        Rival rival = rivals.get(i);
        measurements.add(
            new Measurement(
                name("infer", batch),
                "time",
                rival.name(),
                timings.get(0),
                timings.get(i + 1),
                rival.aim(),
                rival.error()));
      }
      return measurements;
    }
  }

  /** Who infers beside us, and how far our result is from its. */
  private record Rival(String name, double aim, double error) {}

  private FloatBuffer transposed(float[] nhwc, int batch) {
    int pixels = net.resolution() * net.resolution();
    FloatBuffer nchw =
        ByteBuffer.allocateDirect(nhwc.length * Float.BYTES)
            .order(ByteOrder.nativeOrder())
            .asFloatBuffer();
    for (int n = 0; n < batch; n++) {
      for (int p = 0; p < pixels; p++) {
        for (int c = 0; c < 3; c++) {
          nchw.put((n * 3 + c) * pixels + p, nhwc[(n * pixels + p) * 3 + c]);
        }
      }
    }
    return nchw;
  }

  private static void requireClose(String name, double error) {
    if (!(error < WORST_ERROR)) {
      throw new DifferentResults(
          name + ": the contenders do not compute the same, relative error " + error);
    }
  }

  /** 2-norm of the difference over the 2-norm of the reference. */
  static double relativeError(float[] values, float[] reference) {
    if (values.length != reference.length) {
      throw new IllegalArgumentException(
          values.length + " values against " + reference.length + " of the reference");
    }
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < values.length; i++) {
      double d = (double) values[i] - reference[i];
      difference += d * d;
      norm += (double) reference[i] * reference[i];
    }
    return Math.sqrt(difference / norm);
  }
}
