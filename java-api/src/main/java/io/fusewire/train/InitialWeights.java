// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.model.Architecture;
import io.fusewire.model.Parameter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Weights of one model as the initial weights of another: all of them, but for the classifier where
 * that is for other classes; or none if any does not fit.
 *
 * @param values all parameters and running statistics in the kernels' layouts
 * @param message what was taken, for people
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record InitialWeights(float[] values, String message) {
  private static final int NAMED = 8;

  /**
   * Fits a model's weights to a network.
   *
   * @param source where they are from
   * @param name what that is called in messages
   * @param net the network they are for
   * @param classNames its classes
   * @param random initial values of what is not taken
   * @throws IllegalArgumentException if a parameter other than the classifier's is missing,
   *     superfluous or of another shape; the message lists them
   */
  static InitialWeights fit(
      ModelFile source, String name, Architecture net, List<String> classNames, float[] random) {
    Map<String, Parameter> there = new HashMap<>();
    source.network().parameters().all().forEach(p -> there.put(p.name(), p));
    String newClassifier = newClassifier(source, net, classNames);
    List<String> missing = new ArrayList<>();
    List<String> shapes = new ArrayList<>();
    float[] values = random.clone();
    for (Parameter parameter : net.parameters().all()) {
      Parameter from = there.remove(parameter.name());
      if (parameter.kind().ofClassifier() && !newClassifier.isEmpty()) {
        continue;
      }
      if (from == null) {
        missing.add(parameter.name());
      } else if (!from.shape().equals(parameter.shape())) {
        shapes.add("%s is %s, not %s".formatted(parameter.name(), from.shape(), parameter.shape()));
      } else {
        System.arraycopy(
            source.weights(),
            Math.toIntExact(from.offset()),
            values,
            Math.toIntExact(parameter.offset()),
            Math.toIntExact(parameter.count()));
      }
    }
    List<String> unexpected = new ArrayList<>();
    for (Parameter parameter : source.network().parameters().all()) {
      boolean superfluous = there.containsKey(parameter.name());
      if (superfluous && !parameter.kind().ofClassifier()) {
        unexpected.add(parameter.name());
      }
    }
    if (!missing.isEmpty() || !shapes.isEmpty() || !unexpected.isEmpty()) {
      throw new IllegalArgumentException(
          "%s has weights of %s, which do not fit %s; nothing was loaded%s%s%s"
              .formatted(
                  name,
                  source.network(),
                  net,
                  listed("missing", missing),
                  listed("unexpected", unexpected),
                  listed("of another shape", shapes)));
    }
    return new InitialWeights(
        values,
        newClassifier.isEmpty()
            ? "weights from %s, classifier included".formatted(name)
            : "weights from %s, all but the classifier: %s; a new one is trained"
                .formatted(name, newClassifier));
  }

  /** Why the classifier cannot be taken over; "" if it can. */
  private static String newClassifier(ModelFile source, Architecture net, List<String> classNames) {
    if (ModelFile.classifierIsInitial(source.metadata())) {
      return "it has none that was trained";
    }
    int has = source.network().classes();
    if (has != net.classes()) {
      return "it has %d classes, %d are needed".formatted(has, net.classes());
    }
    List<String> own = source.classNames();
    boolean named = own.stream().noneMatch(n -> n.matches("class \\d+"));
    boolean others = named && !own.subList(0, classNames.size()).equals(classNames);
    return others ? "its %d classes have other names".formatted(has) : "";
  }

  private static String listed(String what, List<String> keys) {
    if (keys.isEmpty()) {
      return "";
    }
    int more = keys.size() - NAMED;
    return "; %s: %s%s"
        .formatted(
            what,
            String.join(", ", keys.subList(0, Math.min(NAMED, keys.size()))),
            more > 0 ? " and " + more + " more" : "");
  }
}
