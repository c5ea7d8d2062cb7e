// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.io.FileFormatException;
import java.nio.file.Path;
import java.util.List;

/** A file whose tensors are not those of any network that is known. Nothing of it was loaded. */
public final class KeyMismatchException extends FileFormatException {
  private static final long serialVersionUID = 1L;
  private static final int NAMED = 5;

  private final transient List<String> missing;
  private final transient List<String> unexpected;
  private final transient List<String> misshapen;

  KeyMismatchException(Path file, Match nearest, String hint) {
    super(
        file,
        "its keys are most like %s, but do not fit it, so nothing was loaded%s%s%s%s"
            .formatted(
                nearest.title(),
                part("missing", nearest.missing()),
                part("unexpected", nearest.unexpected()),
                part("of another shape", nearest.misshapen()),
                hint));
    missing = List.copyOf(nearest.missing());
    unexpected = List.copyOf(nearest.unexpected());
    misshapen = List.copyOf(nearest.misshapen());
  }

  private static String part(String what, List<String> names) {
    if (names.isEmpty()) {
      return "";
    }
    int more = names.size() - NAMED;
    return "; %d %s: %s%s"
        .formatted(
            names.size(),
            what,
            String.join(", ", names.subList(0, Math.min(NAMED, names.size()))),
            more > 0 ? ", and " + more + " more" : "");
  }

  /**
   * Names that the nearest network has and the file lacks.
   *
   * @return all of them, as the file's library calls them
   */
  public List<String> missing() {
    return missing == null ? List.of() : missing;
  }

  /**
   * Keys that the file has and the nearest network does not.
   *
   * @return all of them
   */
  public List<String> unexpected() {
    return unexpected == null ? List.of() : unexpected;
  }

  /**
   * What is there with another shape.
   *
   * @return a sentence for each
   */
  public List<String> misshapen() {
    return misshapen == null ? List.of() : misshapen;
  }
}
