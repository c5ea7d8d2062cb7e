// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.model.Parameter;
import java.util.List;
import java.util.stream.IntStream;

/** What concerns the one layer that is replaced when the classes are others. */
final class Classifiers {
  /** Says that what a file has for a classifier are initial values. */
  static final String UNTRAINED =
      "the file's classifier was never trained: it was written from weights without one";

  private Classifiers() {}

  /** Whether a parameter is the classifier's. */
  static boolean holds(Parameter parameter) {
    return parameter.kind() == Parameter.Kind.CLASSIFIER
        || parameter.kind() == Parameter.Kind.CLASSIFIER_BIAS;
  }

  /** Names for classes that nobody named. */
  static List<String> names(int classes) {
    return IntStream.range(0, classes).mapToObj(i -> "class " + i).toList();
  }

  /** Says that the classifier was not loaded. */
  static String anew(int from, int to) {
    return "the file's classifier has %d classes, not %d: everything else was loaded, and the classifier starts anew"
        .formatted(from, to);
  }
}
