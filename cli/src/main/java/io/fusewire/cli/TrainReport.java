// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import io.fusewire.train.TrainResult;
import java.io.PrintWriter;
import java.nio.file.Path;

/** What a training run says at its end. */
final class TrainReport {
  private TrainReport() {}

  /** For people; command is how they started us. */
  static void print(TrainResult result, String command, PrintWriter out) {
    if (result.stopped()) {
      out.println("stopped after " + Quantities.count(result.steps()) + " steps; go on with:");
      out.println("  " + command + " train --resume " + result.directory());
      return;
    }
    out.println();
    line(
        out,
        "test accuracy",
        Quantities.format(
            "%s (loss %.4f)", Quantities.percent(result.testAccuracy()), result.testLoss()));
    line(
        out,
        "trained",
        Quantities.format(
            "%s in %s, %,.0f images/s",
            Quantities.epochs(result.epochs().size()),
            Quantities.duration(result.trainSeconds()),
            result.imagesPerSecond()));
    if (result.skippedFiles() > 0) {
      line(out, "left out", result.skippedFiles() + " files that could not be used");
    }
    if (result.skippedSteps() > 0) {
      line(out, "skipped", result.skippedSteps() + " steps that overflowed");
    }
    path(out, "model", result.model());
    path(out, "metrics", result.metrics());
    path(out, "curve", result.curve());
    if (result.model() != null) {
      out.println();
      out.println("try it: " + command + " predict " + result.model() + " IMAGE...");
    }
  }

  private static void path(PrintWriter out, String what, Path path) {
    if (path != null) {
      line(out, what, path.toString());
    }
  }

  private static void line(PrintWriter out, String what, String value) {
    out.println(Quantities.format("%-15s%s", what, value));
  }

  /** For scripts: one line. */
  static String json(TrainResult result) {
    return JsonLine.of(
        json -> {
          json.writeStartObject();
          JsonLine.number(json, "test_accuracy", result.testAccuracy());
          JsonLine.number(json, "test_loss", result.testLoss());
          JsonLine.number(json, "train_seconds", result.trainSeconds());
          JsonLine.number(json, "images_per_second", result.imagesPerSecond());
          json.writeNumberField("epochs", result.epochs().size());
          json.writeNumberField("steps", result.steps());
          json.writeBooleanField("stopped", result.stopped());
          json.writeNumberField("skipped_files", result.skippedFiles());
          json.writeStringField("run", String.valueOf(result.directory()));
          json.writeStringField("model", text(result.model()));
          json.writeStringField("metrics", text(result.metrics()));
          json.writeStringField("curve", text(result.curve()));
          json.writeStringField("checkpoint", text(result.checkpoint()));
          json.writeEndObject();
        });
  }

  private static String text(Path path) {
    return path == null ? null : path.toString();
  }
}
