// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.io.FileFormatException;
import io.fusewire.io.TensorFile;
import io.fusewire.io.TensorInfo;
import io.fusewire.model.Architecture;
import io.fusewire.model.Parameter;
import io.fusewire.model.Preprocessing;
import io.fusewire.train.ModelFile;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads the tensors of a choice into a network's buffer. */
final class Loading {
  private static final int MAX_CLASSES = 1_000_000;
  private static final int MAX_INPUTS = 4;
  private static final int IMAGENET_CLASSES = 1000;

  private final TensorFile file;
  private final Map<String, TensorInfo> tensors;
  private final Choice choice;
  private final Hints hints;
  private final List<String> remarks;

  Loading(TensorFile file, Choice choice, Hints hints) {
    this.file = file;
    this.tensors = file.tensors();
    this.choice = choice;
    this.hints = hints;
    this.remarks = new ArrayList<>(choice.remarks());
  }

  ImportedWeights load(ImportOptions options) throws IOException {
    Match match = choice.match();
    int inputs = within("its stem reads images of %d channels", match.inputChannels(), MAX_INPUTS);
    int classes = match.classes();
    boolean hasClassifier = classes > 0;
    if (hasClassifier) {
      within("its classifier has %d classes", classes, MAX_CLASSES);
    }
    int wanted = options.classes().orElse(hasClassifier ? classes : IMAGENET_CLASSES);
    boolean classifier = hasClassifier && wanted == classes;
    if (!hasClassifier) {
      remarks.add(
          "the file has no classifier: everything else was loaded, and one of %d classes starts anew"
              .formatted(wanted));
    } else if (!classifier) {
      remarks.add(Classifiers.anew(classes, wanted));
    }
    boolean trained = classifier && !ModelFile.classifierIsInitial(file.metadata());
    if (classifier && !trained) {
      remarks.add(Classifiers.UNTRAINED);
    }
    Preprocessing preprocessing = preprocessing(inputs);
    Architecture network =
        Networks.of(match.network(), wanted, inputs, preprocessing.window(), choice.recipe());
    float[] values = values(network, classifier);
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("source", match.library().id() + ":" + choice.model());
    ModelFile model =
        new ModelFile(
            network,
            classifier ? classNames(wanted) : Classifiers.names(wanted),
            preprocessing,
            values,
            metadata);
    if (!trained) {
      model = model.withInitialClassifier();
    }
    int read = match.found().size() - (hasClassifier && !classifier ? 2 : 0);
    return new ImportedWeights(
        model, trained, match.library(), choice.model(), file.format(), read, remarks);
  }

  private int within(String what, int count, int high) throws FileFormatException {
    if (count < 1 || count > high) {
      throw new FileFormatException(
          file.file(), what.formatted(count) + ", where 1 to " + high + " are allowed");
    }
    return count;
  }

  private float[] values(Architecture network, boolean classifier) throws IOException {
    float[] values =
        classifier
            ? new float[Math.toIntExact(network.parameters().elements())]
            : network.parameters().initialValues(0);
    for (Parameter parameter : network.parameters().all()) {
      if (Classifiers.holds(parameter) && !classifier) {
        continue;
      }
      Match.Found found = choice.match().found().get(parameter.name());
      TensorInfo info = tensors.get(found.key());
      float[] read = found.axes().toPyTorch(file.readFloats(found.key()), info.shape());
      if (read.length != parameter.count()) {
        throw new FileFormatException(
            file.file(),
            "tensor '%s' has %d values, where %d are needed"
                .formatted(found.key(), read.length, parameter.count()));
      }
      float[] part = parameter.toKernelLayout(read);
      System.arraycopy(part, 0, values, Math.toIntExact(parameter.offset()), part.length);
    }
    return values;
  }

  private List<String> classNames(int classes) {
    String own = file.metadata().get("class_names");
    List<String> names =
        own != null
            ? own.lines().toList()
            : hints.config(choice.recipe()).map(TimmConfig::classNames).orElse(List.of());
    return names.size() == classes ? names : Classifiers.names(classes);
  }

  private Preprocessing preprocessing(int inputs) throws IOException {
    Preprocessing known =
        choice
            .recipe()
            .map(Recipe::preprocessing)
            .orElseGet(() -> Recipes.usual(Networks.plain(choice.match().network()).resolution()));
    if (choice.match().library() == Library.TIMM) {
      known = hints.config(choice.recipe()).flatMap(TimmConfig::preprocessing).orElse(known);
    }
    try {
      known = ModelFile.preprocessing(file.metadata()).orElse(known);
    } catch (IllegalArgumentException e) {
      throw new FileFormatException(file.file(), "has unusable metadata: " + e.getMessage(), e);
    }
    if (choice.match().library() == Library.KERAS) {
      known = KerasNormalization.applied(file, choice.match(), known, remarks);
    }
    return colours(known, inputs);
  }

  /** Mean and deviation for images of other than three channels: the average of the three. */
  private Preprocessing colours(Preprocessing known, int channels) {
    if (known.mean().size() == channels) {
      return known;
    }
    remarks.add(
        channels == 1
            ? "images have one channel: it has the average of the three colours' mean and deviation"
            : "images have %d channels: each has the average of the three colours' mean and deviation"
                .formatted(channels));
    return new Preprocessing(
        known.height(),
        known.width(),
        known.window(),
        known.wholeImage(),
        known.interpolation(),
        known.cropFraction(),
        average(known.mean(), channels),
        average(known.std(), channels));
  }

  private static List<Float> average(List<Float> values, int channels) {
    float mean = (float) values.stream().mapToDouble(Float::doubleValue).average().orElse(0.5);
    List<Float> result = new ArrayList<>();
    for (int c = 0; c < channels; c++) {
      result.add(mean);
    }
    return result;
  }
}
