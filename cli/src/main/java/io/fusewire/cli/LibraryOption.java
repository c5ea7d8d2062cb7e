// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import io.fusewire.train.ModelFile;
import io.fusewire.weights.names.ImportOptions;
import io.fusewire.weights.names.ImportedWeights;
import io.fusewire.weights.names.Library;
import io.fusewire.weights.names.WeightImport;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Reads weights of any library; what their file does not say can be said beside it. */
final class LibraryOption {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--as",
      paramLabel = "LIBRARY[:MODEL]",
      description =
          "Who made the weights, where their file does not say, such as torchvision or "
              + "timm:tf_efficientnet_b0.")
  private String as;

  boolean given() {
    return as != null;
  }

  /** What was said beside the file; a library or model that there is not is wrong usage. */
  ImportOptions options() {
    ImportOptions options = ImportOptions.defaults();
    try {
      return as == null ? options : options.as(as);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), "--as: " + e.getMessage(), e);
    }
  }

  /**
   * Reads weights, and says on a writer whose they are unless they are Fusewire's own.
   *
   * @param path a file, or a run's folder
   */
  ModelFile read(Path path, PrintWriter log) throws IOException {
    ImportedWeights imported = WeightImport.load(ModelArgument.file(path), options());
    if (imported.library() != Library.FUSEWIRE) {
      log.println(imported.summary());
    }
    imported.remarks().forEach(log::println);
    return imported.model();
  }
}
