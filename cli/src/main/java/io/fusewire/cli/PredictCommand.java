// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.fusewire.ops.DType;
import io.fusewire.train.ModelFile;
import io.fusewire.train.Prediction;
import io.fusewire.train.Predictor;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Tells what images show. */
@Command(
    name = "predict",
    description = {
      "Tells what images show: the likeliest classes and their probabilities.",
      "An image that cannot be used is named and left out; the exit code is then 1."
    })
final class PredictCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private DeviceOption device;
  @Mixin private LibraryOption library;

  @Parameters(
      index = "0",
      paramLabel = "MODEL",
      description =
          "A model.safetensors, the folder of a run, or weights of timm, torchvision, "
              + "efficientnet_pytorch, TensorFlow or Keras.")
  private Path model;

  @Parameters(
      index = "1..*",
      arity = "1..*",
      paramLabel = "IMAGE",
      description = "JPEG or PNG files.")
  private List<Path> images;

  @Option(
      names = "--top",
      paramLabel = "N",
      defaultValue = "5",
      description = "How many classes for each image (default: ${DEFAULT-VALUE}).")
  private int top;

  @Option(
      names = "--allow-tf32",
      description = "Products on a GPU's tensor cores, as TF32 (11 significant bits).")
  private boolean allowTf32;

  @Option(names = "--json", description = "Print one JSON object a line, one for each image.")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    if (top < 1) {
      throw new ParameterException(
          spec.commandLine(), "--top: " + top + " is not a number of at least 1");
    }
    PrintWriter out = spec.commandLine().getOut();
    List<String> unusable = new ArrayList<>();
    ModelFile weights = library.read(model, spec.commandLine().getErr());
    try (Predictor predictor = Predictor.open(weights, device.device(), DType.F32, allowTf32, 1)) {
      for (Path image : images) {
        try {
          print(out, image, predictor.predict(List.of(image), top).get(0));
        } catch (IOException e) {
          unusable.add(image.toString());
          fail(image, e);
        }
      }
    }
    if (unusable.isEmpty()) {
      return 0;
    }
    if (images.size() > 1) {
      spec.commandLine()
          .getErr()
          .println(unusable.size() + " of " + images.size() + " images could not be used");
    }
    return 1;
  }

  private void print(PrintWriter out, Path image, List<Prediction> predictions) {
    if (json) {
      out.println(JsonLine.of(line -> write(line, image, predictions)));
      return;
    }
    out.println(image);
    for (Prediction prediction : predictions) {
      out.println(
          Quantities.format(
              "  %7.2f %%  %s", 100 * prediction.probability(), prediction.className()));
    }
  }

  private static void write(JsonGenerator json, Path image, List<Prediction> predictions)
      throws IOException {
    json.writeStartObject();
    json.writeStringField("image", image.toString());
    json.writeArrayFieldStart("predictions");
    for (Prediction prediction : predictions) {
      json.writeStartObject();
      json.writeNumberField("index", prediction.classIndex());
      json.writeStringField("class", prediction.className());
      JsonLine.number(json, "probability", prediction.probability());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  /** On stdout as well when a script reads it: one line for each image, whatever came of it. */
  private void fail(Path image, IOException exception) {
    String message = Errors.message(exception);
    spec.commandLine().getErr().println("fusewire predict: " + message);
    if (json) {
      String line =
          JsonLine.of(
              object -> {
                object.writeStartObject();
                object.writeStringField("image", image.toString());
                object.writeStringField("error", message);
                object.writeEndObject();
              });
      spec.commandLine().getOut().println(line);
    }
  }
}
