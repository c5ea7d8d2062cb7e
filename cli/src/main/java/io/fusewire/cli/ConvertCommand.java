// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.fusewire.train.ModelFile;
import io.fusewire.weights.names.ExportRefusedException;
import io.fusewire.weights.names.ExportedWeights;
import io.fusewire.weights.names.ImportOptions;
import io.fusewire.weights.names.ImportedWeights;
import io.fusewire.weights.names.Library;
import io.fusewire.weights.names.WeightExport;
import io.fusewire.weights.names.WeightImport;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Reads weights of any library and writes them for another. */
@Command(
    name = "convert",
    description = {
      "Reads trained weights of timm, torchvision, efficientnet_pytorch, TensorFlow, Keras, fastai or"
          + " Fusewire, and writes them as safetensors under the names of timm, torchvision or"
          + " Fusewire.",
      "Library and architecture are found from the tensors' names and shapes."
    })
final class ConvertCommand implements Callable<Integer> {
  private static final double MEGA = 1e6;

  /** Names that promise another format than the one that is written. */
  private static final Pattern OTHER_FORMAT =
      Pattern.compile(
          ".*[.](pth|pt|bin|ckpt|index|npz|npy|h5|hdf5|keras|onnx)", Pattern.CASE_INSENSITIVE);

  @Spec private CommandSpec spec;

  @Parameters(
      index = "0",
      paramLabel = "IN",
      description = "A file of weights, a checkpoint's folder, or the folder of a run.")
  private Path in;

  @Parameters(index = "1", paramLabel = "OUT", description = "The safetensors file to write.")
  private Path out;

  @Option(
      names = "--to",
      paramLabel = "LIBRARY",
      defaultValue = "fusewire",
      description =
          "Whose names to write: timm, torchvision or fusewire (default: ${DEFAULT-VALUE}).")
  private String to;

  @Option(
      names = "--as",
      paramLabel = "LIBRARY[:MODEL]",
      description =
          "Who made the weights, where their names do not tell, such as timm:tf_efficientnet_b0.")
  private String as;

  @Option(
      names = "--classes",
      paramLabel = "N",
      description =
          "Number of classes; if the file has another, everything but the classifier is taken.")
  private Integer classes;

  @Option(
      names = "--class-names",
      paramLabel = "FILE",
      description = "A text file with the classes' names, one a line, to be kept in OUT.")
  private Path classNames;

  @Option(names = "--overwrite", description = "Replace OUT if it exists.")
  private boolean overwrite;

  @Option(
      names = "--force",
      description = "Write even what the other library would compute otherwise.")
  private boolean force;

  @Option(names = "--json", description = "Print one JSON object instead.")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    Library library = target();
    ImportOptions options = ImportOptions.defaults();
    if (as != null) {
      try {
        options = options.as(as);
      } catch (IllegalArgumentException e) {
        throw new ParameterException(spec.commandLine(), "--as: " + e.getMessage(), e);
      }
    }
    if (classes != null) {
      if (classes < 1) {
        throw wrong("--classes: " + classes + " is not a number of at least 1");
      }
      options = options.withClasses(classes);
    }
    Path source = ModelArgument.file(in);
    checkName(out);
    if (Files.exists(out) && Files.exists(source) && Files.isSameFile(source, out)) {
      throw wrong("IN and OUT are the same file, " + out);
    }
    if (Files.exists(out) && !overwrite) {
      throw new IOException(out + " exists already; --overwrite replaces it");
    }
    ImportedWeights read = WeightImport.load(source, options);
    ModelFile model = named(read.model());
    ExportedWeights written;
    try {
      written = WeightExport.write(model, library, out, force);
    } catch (ExportRefusedException e) {
      throw e.forcible()
          ? new IOException(e.getMessage() + "; --force writes it all the same", e)
          : e;
    }
    PrintWriter print = spec.commandLine().getOut();
    if (json) {
      print.println(JsonLine.of(object -> write(object, read, model, written)));
    } else {
      print(print, read, model, written);
    }
    return 0;
  }

  private Library target() {
    for (Library library : WeightExport.TARGETS) {
      if (library.id().equalsIgnoreCase(to)) {
        return library;
      }
    }
    throw wrong(
        "--to: weights are written for timm, torchvision or fusewire, not for '" + to + "'");
  }

  private void checkName(Path out) {
    if (Files.isDirectory(out)) {
      throw wrong("OUT is the folder " + out + "; name a file, such as weights.safetensors");
    }
    if (OTHER_FORMAT.matcher(out.toString()).matches()) {
      throw wrong("OUT is " + out + ", but safetensors are written; name it *.safetensors");
    }
  }

  private ModelFile named(ModelFile model) throws IOException {
    if (classNames == null) {
      return model;
    }
    List<String> names =
        Files.readAllLines(classNames).stream()
            .map(String::strip)
            .filter(name -> !name.isEmpty())
            .toList();
    if (names.size() != model.network().classes()) {
      throw new IOException(
          "%s names %d classes; the network has %d"
              .formatted(classNames, names.size(), model.network().classes()));
    }
    return new ModelFile(
        model.network(), names, model.preprocessing(), model.weights(), model.metadata());
  }

  private ParameterException wrong(String message) {
    return new ParameterException(spec.commandLine(), message);
  }

  private void print(
      PrintWriter print, ImportedWeights read, ModelFile model, ExportedWeights written)
      throws IOException {
    print.println("read     " + read.summary());
    print.println("network  " + model.network());
    print.println("images   " + PreprocessingLine.of(model.preprocessing()));
    print.println(
        "written  "
            + written.summary()
            + Quantities.format(", %.1f MB: ", Files.size(out) / MEGA)
            + out);
    read.remarks().forEach(remark -> print.println("note     " + remark));
    written.remarks().forEach(remark -> print.println("note     " + remark));
  }

  private void write(
      JsonGenerator object, ImportedWeights read, ModelFile model, ExportedWeights written)
      throws IOException {
    object.writeStartObject();
    object.writeStringField("from", read.library().id());
    object.writeStringField("from_model", read.sourceModel());
    object.writeNumberField("tensors_read", read.tensors());
    object.writeBooleanField("classifier_read", read.classifierLoaded());
    object.writeStringField("network", model.network().name());
    object.writeNumberField("classes", model.network().classes());
    object.writeNumberField("resolution", model.network().resolution());
    object.writeStringField("to", written.library().id());
    object.writeStringField("to_model", written.model());
    object.writeNumberField("tensors_written", written.tensors());
    object.writeStringField("file", out.toString());
    object.writeArrayFieldStart("notes");
    for (String remark : read.remarks()) {
      object.writeString(remark);
    }
    for (String remark : written.remarks()) {
      object.writeString(remark);
    }
    object.writeEndArray();
    object.writeEndObject();
  }
}
