// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import java.io.IOException;
import java.util.List;

/** A model that another library would not compute as Fusewire does. Nothing was written. */
public final class ExportRefusedException extends IOException {
  private static final long serialVersionUID = 1L;

  private final transient List<String> reasons;
  private final boolean forcible;

  ExportRefusedException(String what, List<String> reasons, boolean forcible) {
    super("%s: %s".formatted(what, String.join("; ", reasons)));
    this.reasons = List.copyOf(reasons);
    this.forcible = forcible;
  }

  /**
   * Why.
   *
   * @return sentences
   */
  public List<String> reasons() {
    return reasons == null ? List.of() : reasons;
  }

  /**
   * Whether the tensors could be written all the same, under names that the library understands.
   *
   * @return false if the library has no names for them
   */
  public boolean forcible() {
    return forcible;
  }
}
