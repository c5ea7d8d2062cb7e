// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/** The files of a run's directory. Each is replaced whole or not at all. */
final class RunFiles {
  static final String MODEL = "model.safetensors";

  private final Path directory;
  private final RunPlan plan;

  RunFiles(Path directory, RunPlan plan) {
    this.directory = directory;
    this.plan = plan;
  }

  Path directory() {
    return directory;
  }

  Path checkpoint() {
    return directory.resolve(Checkpoint.FILE);
  }

  Path model() {
    return directory.resolve(MODEL);
  }

  Path metrics() {
    return directory.resolve("metrics.csv");
  }

  Path curve() {
    return directory.resolve("curve.png");
  }

  void writeModel(float[] weights, EpochMetrics metrics) throws IOException {
    Map<String, String> about = new LinkedHashMap<>();
    about.put("trained_on", plan.split.name());
    about.put("epoch", Integer.toString(metrics.epoch()));
    about.put("test_accuracy", Double.toString(metrics.evaluationAccuracy()));
    if (!plan.choices.init.isEmpty()) {
      about.put("initial_weights", plan.choices.init);
    }
    new ModelFile(plan.net, plan.split.train().classNames(), plan.preprocessing, weights, about)
        .write(model());
  }

  void writeMetrics(MetricsLog log) throws IOException {
    log.write(metrics());
  }

  /**
   * Draws the curve. A host without fonts, or without the libraries that draw them, cannot: that
   * ends no training.
   *
   * @return "" if it was drawn, else what was missing
   */
  String writeCurve(MetricsLog log) throws IOException {
    var epochs = log.epochs();
    String title =
        String.format(
            Locale.ROOT,
            "%s on %s: %.2f %% after %d epochs",
            plan.net.title(),
            plan.split.name(),
            100 * epochs.get(epochs.size() - 1).evaluationAccuracy(),
            epochs.size());
    BufferedImage image;
    try {
      image = CurvePlot.draw(title, log);
    } catch (LinkageError | InternalError | RuntimeException e) {
      return e.toString();
    }
    CurvePlot.write(curve(), image);
    return "";
  }
}
