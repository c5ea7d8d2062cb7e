// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.io.FileFormatException;
import io.fusewire.model.Architecture;
import io.fusewire.model.EfficientNet;
import io.fusewire.model.Preprocessing;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.BiConsumer;

/**
 * What a run starts from.
 *
 * @param net the architecture; classes, resolution and the head are still to be chosen
 * @param preprocessing what its weights expect of images; null if nothing is known
 * @param weights a model to take the weights from; null if they are random or a checkpoint's
 */
record StartingPoint(Architecture net, Preprocessing preprocessing, ModelFile weights) {
  private static final String PREFIX = "network.";

  /**
   * Reads what choices name.
   *
   * @param resumed metadata of the checkpoint to go on from; null for a new run
   */
  static StartingPoint of(TrainChoices choices, Path checkpoint, Map<String, String> resumed)
      throws IOException {
    if (resumed != null && resumed.containsKey(PREFIX + "model")) {
      try {
        Map<String, String> own = Checkpoint.withPrefix(resumed, PREFIX);
        return new StartingPoint(Architectures.decode(own), PreprocessingText.decode(own), null);
      } catch (IllegalArgumentException e) {
        throw new FileFormatException(checkpoint, "has unusable metadata: " + e.getMessage(), e);
      }
    }
    Architecture named =
        choices.model.isEmpty() ? null : Architecture.byName(choices.model).build();
    if (resumed != null || choices.init.isEmpty()) {
      return new StartingPoint(named == null ? EfficientNet.b0().build() : named, null, null);
    }
    ModelFile weights =
        choices.weights == null ? ModelFile.read(Path.of(choices.init)) : choices.weights;
    if (named == null) {
      return new StartingPoint(weights.network(), weights.preprocessing(), weights);
    }
    // What a name does not say is the weights' own.
    Architecture like = weights.network();
    named =
        named.toBuilder()
            .padding(like.padding())
            .batchNorm(like.batchNormEpsilon(), like.batchNormMomentum())
            .build();
    return new StartingPoint(named, weights.preprocessing(), weights);
  }

  /** Writes what a resumed run needs to know of a plan. */
  static void encode(RunPlan plan, BiConsumer<String, String> target) {
    BiConsumer<String, String> own = (key, value) -> target.accept(PREFIX + key, value);
    Architectures.encode(plan.net, own);
    PreprocessingText.encode(plan.preprocessing, own);
  }
}
