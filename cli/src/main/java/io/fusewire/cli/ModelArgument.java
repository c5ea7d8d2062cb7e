// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import io.fusewire.io.SafeTensors;
import io.fusewire.model.Architecture;
import io.fusewire.model.Preprocessing;
import io.fusewire.train.ModelFile;
import io.fusewire.weights.names.ImportOptions;
import io.fusewire.weights.names.WeightImport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** A model as a user names it: by name, a file of weights, or the folder of a run. */
final class ModelArgument {
  private static final String FILE = "model.safetensors";
  private static final String CHECKPOINT_FORMAT = "fusewire-checkpoint-";
  private static final String CHECKPOINT = "checkpoint.safetensors";

  private ModelArgument() {}

  /**
   * What a path means: the model in a run's folder, or itself, which may be a folder of TensorFlow.
   *
   * @throws IOException if it is a run's checkpoint, whose names look like another library's
   */
  static Path file(Path path) throws IOException {
    Path file = path.resolve(FILE);
    if (!Files.isDirectory(path)) {
      refuseCheckpoint(path);
      return path;
    }
    if (!Files.exists(file)) {
      if (!Files.exists(path.resolve(CHECKPOINT))) {
        return path;
      }
      throw new IOException(
          path + " has no " + FILE + "; a run has one once its first epoch has ended");
    }
    return file;
  }

  /** Read as a model, a checkpoint would lose its padding, its preprocessing and its classes. */
  private static void refuseCheckpoint(Path path) throws IOException {
    if (!Files.isRegularFile(path) || !path.toString().endsWith(".safetensors")) {
      return;
    }
    try (SafeTensors tensors = SafeTensors.open(path)) {
      if (String.valueOf(tensors.metadata().get("format")).startsWith(CHECKPOINT_FORMAT)) {
        throw new IOException(
            path
                + " is a run's checkpoint, which 'train --resume' goes on from; the weights are in "
                + path.resolveSibling(FILE));
      }
    }
  }

  /**
   * What is known of a model, with the weights left behind.
   *
   * @param network its architecture
   * @param images what is done to images before it sees them; null unless a file says so
   * @param classNames by class; empty unless a file says so
   */
  record Known(Architecture network, Preprocessing images, List<String> classNames) {}

  static Known known(String model) throws IOException {
    String name = model.toLowerCase(Locale.ROOT);
    Path path = Path.of(model);
    if (!Files.exists(path) && !name.endsWith(".safetensors") && !model.contains("/")) {
      try {
        return new Known(Architecture.byName(model).build(), null, List.of());
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException(e.getMessage() + ", and no file of that name", e);
      }
    }
    ModelFile file = WeightImport.load(file(path), ImportOptions.defaults()).model();
    return new Known(file.network(), file.preprocessing(), file.classNames());
  }
}
