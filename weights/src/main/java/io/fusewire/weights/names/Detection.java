// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.io.FileFormatException;
import io.fusewire.io.TensorFile;
import io.fusewire.io.TensorInfo;
import io.fusewire.model.Parameter;
import java.util.ArrayList;
import java.util.Comparator;
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
    List<Match> all = new ArrayList<>();
    for (NamingScheme scheme : SCHEMES) {
      if (library.isPresent() && scheme.library() != library.get()) {
        continue;
      }
      SourceKeys keys = scheme.keys(tensors.keySet());
      for (String name : Networks.names()) {
        if (network.isPresent() && !network.get().equals(name)) {
          continue;
        }
        List<Parameter> parameters = Networks.plain(name).parameters().all();
        scheme
            .names(parameters)
            .ifPresent(n -> all.add(Match.of(scheme, name, parameters, n, keys, tensors)));
      }
    }
    List<Match> fitting = all.stream().filter(Match::fits).toList();
    if (!fitting.isEmpty()) {
      return fitting;
    }
    Optional<Match> nearest = all.stream().min(Comparator.comparingInt(Match::differences));
    if (nearest.isPresent() && like(nearest.get())) {
      throw new KeyMismatchException(file.file(), nearest.get(), hint(nearest.get()));
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
                        + String.join(", ", tensors.keySet().stream().limit(4).toList())));
  }

  private static boolean like(Match match) {
    int needed = match.found().size() + match.missing().size() + match.misshapen().size();
    return match.found().size() + match.misshapen().size() > LIKENESS * needed;
  }

  /** What is probably wrong, where that can be told. */
  private static String hint(Match match) {
    boolean norms =
        match.misshapen().isEmpty()
            && match.missing().stream()
                .anyMatch(name -> name.endsWith("running_var") || name.endsWith("moving_variance"));
    return norms
        ? "BatchNorm seems to have been folded into the convolutions; export the model again in"
            + " training mode, without constant folding"
        : "";
  }
}
