// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.io.FileFormatException;
import io.fusewire.io.TensorFile;
import io.fusewire.io.TensorInfo;
import io.fusewire.model.Parameter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Finds out whose names a file's keys are and which architecture they make, by holding them against
 * every library's names of every architecture.
 */
final class Detection {
  private static final List<NamingScheme> SCHEMES =
      List.of(
          new TorchvisionNames(),
          new TimmNames(),
          new LukemelasNames(),
          new TensorFlowNames(),
          new KerasNames(),
          new KerasIndexedNames(),
          new FastaiNames());

  /** Of the names of the nearest network, what share must be in a file to speak of likeness. */
  private static final double LIKENESS = 0.2;

  private Detection() {}

  /** A library's names. */
  static NamingScheme scheme(Library library) {
    return SCHEMES.stream().filter(s -> s.library() == library).findFirst().orElseThrow();
  }

  /**
   * All that fits a file.
   *
   * @param file the file
   * @param library the only library to try, if one was named
   * @param network the only architecture to try, if one was named
   * @throws KeyMismatchException if nothing fits, but something nearly
   * @throws FileFormatException if nothing is near
   */
  static List<Match> matches(TensorFile file, Optional<Library> library, Optional<String> network)
      throws FileFormatException {
    Map<String, TensorInfo> tensors = file.tensors();
    Map<NamingScheme, SourceKeys> candidates = new LinkedHashMap<>();
    for (NamingScheme scheme : SCHEMES) {
      if (library.isEmpty() || scheme.library() == library.get()) {
        candidates.put(scheme, scheme.keys(tensors.keySet()));
      }
    }
    // Few files have more than one library's first convolution, and few have none.
    Map<NamingScheme, SourceKeys> likely = new LinkedHashMap<>(candidates);
    likely
        .entrySet()
        .removeIf(e -> Collections.disjoint(e.getKey().stems(), e.getValue().byName().keySet()));
    List<Match> all = new ArrayList<>();
    (likely.isEmpty() ? candidates : likely)
        .forEach((scheme, keys) -> all.addAll(matches(scheme, keys, network, tensors)));
    List<Match> fitting = all.stream().filter(Match::fits).toList();
    if (!fitting.isEmpty()) {
      return fitting;
    }
    Optional<Match> nearest = all.stream().min(Comparator.comparingInt(Match::differences));
    String hint = nearest.map(match -> hint(tensors.keySet(), match)).orElse("");
    if (nearest.isPresent() && like(nearest.get())) {
      throw new KeyMismatchException(file.file(), nearest.get(), hint);
    }
    throw new FileFormatException(
        file.file(),
        "its %d tensors are not named as %s names them%s"
            .formatted(
                tensors.size(),
                library.map(Library::title).orElse("any library that is known"),
                tensors.isEmpty()
                    ? ""
                    : "; they start with "
                        + String.join(", ", tensors.keySet().stream().limit(4).toList())
                        + hint));
  }

  private static List<Match> matches(
      NamingScheme scheme,
      SourceKeys keys,
      Optional<String> network,
      Map<String, TensorInfo> tensors) {
    List<Match> matches = new ArrayList<>();
    for (String name : Networks.names()) {
      if (network.isEmpty() || network.get().equals(name)) {
        List<Parameter> parameters = Networks.plain(name).parameters().all();
        scheme
            .names(parameters)
            .ifPresent(n -> matches.add(Match.of(scheme, name, parameters, n, keys, tensors)));
      }
    }
    return matches;
  }

  private static boolean like(Match match) {
    int needed = match.found().size() + match.missing().size() + match.misshapen().size();
    return match.found().size() + match.misshapen().size() > LIKENESS * needed;
  }

  /** What is probably wrong, where that can be told. */
  private static String hint(Collection<String> keys, Match nearest) {
    boolean onnx = keys.stream().anyMatch(key -> key.startsWith("onnx::Conv"));
    boolean norms =
        nearest.misshapen().isEmpty()
            && nearest.missing().stream()
                .anyMatch(name -> name.endsWith("running_var") || name.endsWith("moving_variance"));
    return onnx || norms
        ? "; BatchNorm seems to have been folded into the convolutions: export the model again in"
            + " training mode, without constant folding"
        : "";
  }
}
