// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.io.TensorInfo;
import io.fusewire.model.Parameter;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A file's tensors held against one library's names of one architecture. Class count and input
 * channels are the file's.
 *
 * @param scheme whose names these are
 * @param network Fusewire's name of the architecture
 * @param found by Fusewire's name
 * @param missing the library's names of what the file lacks, without the classifier
 * @param unexpected the file's keys that are not among the names
 * @param misshapen sentences on tensors of another shape
 * @param classes class count of the file's classifier; 0 if it has none
 * @param inputChannels input channels of the file's stem; 0 if it has none
 * @param remarks what the scheme says about the keys
 */
record Match(
    NamingScheme scheme,
    String network,
    Map<String, Found> found,
    List<String> missing,
    List<String> unexpected,
    List<String> misshapen,
    int classes,
    int inputChannels,
    List<String> remarks) {

  /** A tensor of the file. */
  record Found(String key, Axes axes) {}

  /** Compares a file with an architecture. */
  static Match of(
      NamingScheme scheme,
      String network,
      List<Parameter> parameters,
      Map<String, SourceName> names,
      SourceKeys keys,
      Map<String, TensorInfo> tensors) {
    Map<String, Found> found = new LinkedHashMap<>();
    List<String> missing = new ArrayList<>();
    List<String> misshapen = new ArrayList<>();
    Set<String> unused = new HashSet<>(keys.byName().keySet());
    int classes = 0;
    int inputs = 0;
    boolean stem = true;
    for (Parameter parameter : parameters) {
      SourceName source = names.get(parameter.name());
      String key = keys.byName().get(source.name());
      boolean first = stem && parameter.kind() == Parameter.Kind.CONVOLUTION;
      stem &= !first;
      if (key == null) {
        if (!classifier(parameter)) {
          missing.add(source.name());
        }
        continue;
      }
      unused.remove(source.name());
      List<Long> shape = source.axes().toPyTorch(tensors.get(key).shape());
      List<Long> needed = shape(parameter);
      if (classifier(parameter) && free(needed, shape, 0)) {
        classes = parameter.kind() == Parameter.Kind.CLASSIFIER ? extent(shape, 0) : classes;
      } else if (first && free(needed, shape, 1)) {
        inputs = extent(shape, 1);
      } else if (!shape.equals(needed)) {
        misshapen.add(
            "'%s' is %s, where %s is needed"
                .formatted(key, tensors.get(key).shape(), source.axes().fromPyTorch(needed)));
        continue;
      }
      found.put(parameter.name(), new Found(key, source.axes()));
    }
    List<String> unexpected = new ArrayList<>();
    for (String name : keys.byName().keySet()) {
      if (unused.contains(name) && !expectedBeside(scheme, name)) {
        unexpected.add(keys.byName().get(name));
      }
    }
    return new Match(
        scheme, network, found, missing, unexpected, misshapen, classes, inputs, keys.remarks());
  }

  private static boolean expectedBeside(NamingScheme scheme, String name) {
    return scheme.library() == Library.KERAS && name.startsWith(KerasNames.NORMALIZATION);
  }

  private static boolean classifier(Parameter parameter) {
    return parameter.kind() == Parameter.Kind.CLASSIFIER
        || parameter.kind() == Parameter.Kind.CLASSIFIER_BIAS;
  }

  private static List<Long> shape(Parameter parameter) {
    return parameter.shape().stream().map(Integer::longValue).toList();
  }

  /** Whether two shapes are equal but for one axis. */
  private static boolean free(List<Long> needed, List<Long> shape, int axis) {
    if (shape.size() != needed.size()) {
      return false;
    }
    for (int i = 0; i < shape.size(); i++) {
      if (i != axis && !shape.get(i).equals(needed.get(i))) {
        return false;
      }
    }
    return true;
  }

  private static int extent(List<Long> shape, int axis) {
    return (int) Math.min(shape.get(axis), Integer.MAX_VALUE);
  }

  /** Whose names these are. */
  Library library() {
    return scheme.library();
  }

  /** How many keys do not fit. */
  int differences() {
    return missing.size() + unexpected.size() + misshapen.size();
  }

  /** Whether everything but perhaps the classifier is there. */
  boolean fits() {
    return differences() == 0;
  }

  /** The library and its architecture, for sentences. */
  String title() {
    return library().title() + "'s " + network;
  }
}
