// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.io.FileFormatException;
import io.fusewire.io.TensorFile;
import io.fusewire.model.Architecture;
import io.fusewire.model.Parameter;
import io.fusewire.train.ModelFile;
import io.fusewire.weights.WeightFiles;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Loads trained weights of timm, torchvision, efficientnet_pytorch, the official TensorFlow
 * release, Keras, fastai, and of Fusewire itself, from any file that {@link WeightFiles} opens.
 * Library, architecture, class count and input channels are found from the keys and shapes;
 * padding, BatchNorm constants and preprocessing are those of the source.
 */
public final class WeightImport {
  /** {@code format} in the metadata of Fusewire's own model files. */
  private static final String OWN = "fusewire-model-1";

  private WeightImport() {}

  /**
   * Loads weights.
   *
   * @param file the file
   * @param options what is wanted of it
   * @return the weights
   * @throws KeyMismatchException if keys or shapes fit no network; nothing is loaded then
   * @throws FileFormatException if the file is damaged or of no known kind
   * @throws IllegalArgumentException if the options name a library or model that is not known
   * @throws IOException if it cannot be read
   */
  public static ImportedWeights load(Path file, ImportOptions options) throws IOException {
    try (TensorFile tensors = WeightFiles.open(file)) {
      return load(tensors, options);
    }
  }

  /** Loads weights from a file that is open. */
  static ImportedWeights load(TensorFile tensors, ImportOptions options) throws IOException {
    Origin origin = Origin.parse(options.source());
    boolean own = OWN.equals(tensors.metadata().get("format"));
    boolean ownWanted = origin.library().filter(l -> l == Library.FUSEWIRE).isPresent();
    if (ownWanted && !own) {
      throw new FileFormatException(tensors.file(), "is not a Fusewire model");
    }
    if (own && (ownWanted || origin.library().isEmpty())) {
      return own(tensors.file(), tensors.format(), options);
    }
    List<Match> matches = Detection.matches(tensors, origin.library(), origin.network());
    Hints hints = origin.recipe().isPresent() ? Hints.none() : Hints.of(tensors);
    return new Loading(tensors, Choice.of(matches, origin, hints), hints).load(options);
  }

  private static ImportedWeights own(Path file, String format, ImportOptions options)
      throws IOException {
    ModelFile model = ModelFile.read(file);
    int classes = model.network().classes();
    int wanted = options.classes().orElse(classes);
    int tensors = model.network().parameters().all().size();
    boolean same = wanted == classes;
    boolean initial = ModelFile.classifierIsInitial(model.metadata());
    List<String> remarks =
        same
            ? initial ? List.of(Classifiers.UNTRAINED) : List.of()
            : List.of(Classifiers.anew(classes, wanted));
    return new ImportedWeights(
        same ? model : withClasses(model, wanted),
        same && !initial,
        Library.FUSEWIRE,
        model.network().name(),
        format,
        same ? tensors : tensors - 2,
        remarks);
  }

  /** The same network with a new classifier. */
  private static ModelFile withClasses(ModelFile model, int classes) {
    Architecture network = model.network().toBuilder().classes(classes).build();
    float[] values = network.parameters().initialValues(0);
    for (Parameter parameter : network.parameters().all()) {
      if (!Classifiers.holds(parameter)) {
        Parameter from = model.network().parameters().get(parameter.name());
        System.arraycopy(
            model.weights(),
            Math.toIntExact(from.offset()),
            values,
            Math.toIntExact(parameter.offset()),
            Math.toIntExact(parameter.count()));
      }
    }
    return new ModelFile(
            network, Classifiers.names(classes), model.preprocessing(), values, Map.of())
        .withInitialClassifier();
  }
}
