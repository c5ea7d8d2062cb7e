// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.train.EpochMetrics;
import io.fusewire.train.Prediction;
import io.fusewire.train.Predictor;
import io.fusewire.train.ProgressListener;
import io.fusewire.train.TrainConfig;
import io.fusewire.train.TrainResult;
import io.fusewire.train.Trainer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** The README's Java quick start; {@link ReadmeTest} holds the two together and runs this. */
final class QuickStart {
  private QuickStart() {}

  static List<Prediction> run(Path data, Path folder, Path image) throws IOException {
    // README: begin
    TrainConfig config =
        new TrainConfig()
            .data(data.toString()) // train/<class>/*.jpg and val/<class>/*.jpg
            .model("b0")
            .resolution(32)
            .batch(8)
            .epochs(2)
            .samples(8) // dropout samples of the head
            .out(folder);
    ProgressListener listener =
        new ProgressListener() {
          @Override
          public void epochEnded(EpochMetrics epoch) {
            System.out.printf("epoch %d: %.4f%n", epoch.epoch(), epoch.evaluationAccuracy());
          }
        };
    TrainResult result = new Trainer(config, listener).run();

    List<Prediction> likeliest;
    try (Predictor predictor = Predictor.open(result.model(), Device.best(), DType.F32, 1)) {
      likeliest = predictor.predict(List.of(image), 5).get(0);
    }
    likeliest.forEach(p -> System.out.printf("%.3f %s%n", p.probability(), p.className()));
    // README: end
    return likeliest;
  }
}
