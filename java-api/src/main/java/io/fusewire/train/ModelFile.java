// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.io.FileFormatException;
import io.fusewire.io.SafeTensors;
import io.fusewire.io.SafeTensorsWriter;
import io.fusewire.model.Architecture;
import io.fusewire.model.Parameter;
import io.fusewire.model.Preprocessing;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiConsumer;

/**
 * A {@code model.safetensors}: weights under timm's names and in PyTorch's layouts, and in its
 * metadata all that a prediction needs.
 *
 * @param network the architecture
 * @param classNames names of the classes in the order of the outputs
 * @param preprocessing what is done to an image first
 * @param weights all parameters and running statistics in the kernels' layouts, placed by {@link
 *     Architecture#parameters()}
 * @param metadata everything the file says about itself
 */
@SuppressWarnings("ArrayRecordComponent") // millions of weights, which nobody compares
public record ModelFile(
    Architecture network,
    List<String> classNames,
    Preprocessing preprocessing,
    float[] weights,
    Map<String, String> metadata) {
  private static final String FORMAT = "fusewire-model-1";
  private static final String CLASSIFIER = "classifier";
  private static final String INITIAL = "initial";

  /**
   * Copies the list and the map.
   *
   * @param network the architecture
   * @param classNames names of the classes in the order of the outputs
   * @param preprocessing what is done to an image first
   * @param weights all parameters and running statistics in the kernels' layouts, placed by {@link
   *     Architecture#parameters()}
   * @param metadata everything the file says about itself
   */
  public ModelFile {
    classNames = List.copyOf(classNames);
    metadata = Map.copyOf(metadata);
  }

  /**
   * Reads a model.
   *
   * @param file a {@code model.safetensors}
   * @return the model
   * @throws FileFormatException if it is damaged, not a Fusewire model, or lacks a tensor
   * @throws IOException if it cannot be read
   */
  public static ModelFile read(Path file) throws IOException {
    try (SafeTensors tensors = SafeTensors.open(file)) {
      Map<String, String> metadata = tensors.metadata();
      if (!FORMAT.equals(metadata.get("format"))) {
        throw new FileFormatException(
            file,
            "is not a Fusewire model (its metadata has format '%s', not '%s')"
                .formatted(metadata.get("format"), FORMAT));
      }
      Architecture net;
      Preprocessing preprocessing;
      List<String> names;
      try {
        net = Architectures.decode(metadata);
        preprocessing = PreprocessingText.decode(metadata);
        names = new ArrayList<>(required(metadata, "class_names").lines().toList());
      } catch (IllegalArgumentException e) {
        throw new FileFormatException(file, "has unusable metadata: " + e.getMessage(), e);
      }
      if (names.size() > net.classes()) {
        throw new FileFormatException(
            file, "names %d classes of %d".formatted(names.size(), net.classes()));
      }
      while (names.size() < net.classes()) {
        names.add("class " + names.size());
      }
      float[] weights = ParameterFiles.read(tensors, "", net.parameters().all());
      return new ModelFile(net, names, preprocessing, weights, metadata);
    }
  }

  /**
   * Writes the model, replacing an older file whole or not at all.
   *
   * @param file where
   * @throws IOException if it cannot be written
   */
  public void write(Path file) throws IOException {
    SafeTensorsWriter writer = new SafeTensorsWriter();
    describe(writer::metadata);
    writer.metadata("format", FORMAT);
    ParameterFiles.add(writer, "", network.parameters().all(), weights);
    // PyTorch counts batches in every BatchNorm and misses the counter when loading strictly.
    for (Parameter parameter : network.parameters().all()) {
      if (parameter.kind() == Parameter.Kind.RUNNING_MEAN) {
        writer.add(
            parameter.name().replace("running_mean", "num_batches_tracked"),
            List.<Long>of(),
            new long[] {0});
      }
    }
    writer.write(file);
  }

  /**
   * The same model, said to have a classifier of initial values, as where weights came without one
   * or for other classes. {@link #classifierIsInitial} knows it of the file that is written too.
   *
   * @return this model with that in its metadata
   */
  public ModelFile withInitialClassifier() {
    Map<String, String> about = new HashMap<>(metadata);
    about.put(CLASSIFIER, INITIAL);
    return new ModelFile(network, classNames, preprocessing, weights, about);
  }

  /**
   * Whether a file's classifier was never trained.
   *
   * @param metadata the file's metadata, whoever's names its tensors have
   * @return true if whoever wrote it had only initial values for it
   */
  public static boolean classifierIsInitial(Map<String, String> metadata) {
    return INITIAL.equals(metadata.get(CLASSIFIER));
  }

  /**
   * Says all that a file's metadata says, but for the format: what was there already, architecture,
   * class names and preprocessing.
   *
   * @param target receives keys and values; a later value replaces an earlier one
   */
  public void describe(BiConsumer<String, String> target) {
    metadata.forEach(target);
    Architectures.encode(network, target);
    target.accept("class_names", String.join("\n", classNames));
    PreprocessingText.encode(preprocessing, target);
  }

  /**
   * The preprocessing that a file's metadata describes, whoever's names its tensors have.
   *
   * @param metadata the metadata
   * @return empty if there is none
   * @throws IllegalArgumentException if something is missing or impossible
   */
  public static Optional<Preprocessing> preprocessing(Map<String, String> metadata) {
    return metadata.containsKey("image_height")
        ? Optional.of(PreprocessingText.decode(metadata))
        : Optional.empty();
  }

  private static String required(Map<String, String> metadata, String key) {
    String value = metadata.get(key);
    if (value == null) {
      throw new IllegalArgumentException("'" + key + "' is missing");
    }
    return value;
  }
}
