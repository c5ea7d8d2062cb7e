// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import java.util.List;

/**
 * What was written for another library.
 *
 * @param library whose names the tensors have
 * @param model that library's name of the model; Fusewire's, if it has none
 * @param tensors how many tensors, BatchNorm's counters included
 * @param remarks whole sentences on what a user should know, such as how to load the file
 */
public record ExportedWeights(Library library, String model, int tensors, List<String> remarks) {
  /**
   * Copies the list.
   *
   * @param library whose names the tensors have
   * @param model that library's name of the model; Fusewire's, if it has none
   * @param tensors how many tensors, BatchNorm's counters included
   * @param remarks whole sentences on what a user should know
   */
  public ExportedWeights {
    remarks = List.copyOf(remarks);
  }

  /**
   * What was written, as one phrase.
   *
   * @return such as {@code 360 tensors of torchvision's efficientnet_b0}
   */
  public String summary() {
    return "%d tensors of %s's %s".formatted(tensors, library.title(), model);
  }
}
