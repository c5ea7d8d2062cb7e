// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import static io.fusewire.bench.layers.SharedTensor.Form.IMAGE;
import static io.fusewire.bench.layers.SharedTensor.Form.PLAIN;
import static io.fusewire.bench.layers.SharedTensor.Form.POINTWISE_WEIGHTS;

import io.fusewire.ops.DropoutHead;
import io.fusewire.ops.MeanPool;
import io.fusewire.ops.SampleMode;
import io.fusewire.ops.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/** The mean over all pixels and the classifier after it. */
final class HeadContests {
  private HeadContests() {}

  /** The contest of an operation of the mean; null if it is none of these. */
  static Contest pool(Operation operation, Scene scene) {
    return switch (operation) {
      case FORWARD -> poolForward(scene);
      case BACKWARD -> poolBackward(scene);
      default -> null;
    };
  }

  /** The contest of an operation of the classifier; null if it is none of these. */
  static Contest classifier(Operation operation, Scene scene) {
    return operation == Operation.INFERENCE ? classify(scene) : null;
  }

  private static MeanPool pool(Scene scene) {
    Problem problem = scene.problem();
    return new MeanPool(
        scene.batch(),
        (long) problem.height() * problem.width(),
        problem.inChannels(),
        scene.dtype());
  }

  private static Contest poolForward(Scene scene) {
    Stream stream = scene.stream();
    long channels = scene.problem().inChannels();
    SharedTensor x = scene.in(IMAGE, scene.image(false, channels));
    SharedTensor y = scene.out(POINTWISE_WEIGHTS, scene.batch(), channels);
    MeanPool pool = pool(scene);
    var workspace = scene.workspace(pool.workspaceBytes(stream));
    return Contest.of(
        p -> pool.forward(stream, x.ours(p), y.ours(p), workspace),
        p -> new Tensor[] {Torch.pooled(x.torch(p))},
        Double.NaN,
        y);
  }

  private static Contest poolBackward(Scene scene) {
    Stream stream = scene.stream();
    Problem problem = scene.problem();
    long channels = problem.inChannels();
    SharedTensor dy = scene.in(POINTWISE_WEIGHTS, scene.batch(), channels);
    SharedTensor dx = scene.out(IMAGE, scene.image(false, channels));
    MeanPool pool = pool(scene);
    double share = 1.0 / problem.height() / problem.width();
    return Contest.of(
        p -> pool.backward(stream, dy.ours(p), dx.ours(p)),
        p ->
            new Tensor[] {
              Torch.scaled(dy.torch(p).expand_as(dx.torch(p)), share)
                  .contiguous(torch.MemoryFormat.ChannelsLast)
            },
        Double.NaN,
        dx);
  }

  private static Contest classify(Scene scene) {
    Stream stream = scene.stream();
    long batch = scene.batch();
    long features = scene.problem().inChannels();
    long classes = scene.problem().outChannels();
    SharedTensor x = scene.in(PLAIN, batch, features);
    SharedTensor w =
        scene.in(PLAIN, 1 / Math.sqrt(scene.problem().inChannels()), classes, features);
    SharedTensor bias = scene.in(PLAIN, classes);
    SharedTensor logits = scene.out(PLAIN, batch, classes);
    SharedTensor probabilities = scene.out(PLAIN, batch, classes);
    DropoutHead head =
        new DropoutHead(batch, features, classes, 1, 0, 0, SampleMode.AVERAGE_LOSSES, 0);
    var workspace = scene.workspace(head.workspaceBytes(stream));
    return Contest.of(
        p ->
            head.inference(
                stream,
                x.ours(p),
                w.ours(p),
                bias.ours(p),
                logits.ours(p),
                probabilities.ours(p),
                workspace),
        p -> {
          Tensor out = torch.linear(x.torch(p), w.torch(p), new TensorOptional(bias.torch(p)));
          return new Tensor[] {out, torch.softmax(out, 1)};
        },
        2.0 * batch * features * classes,
        logits,
        probabilities);
  }
}
