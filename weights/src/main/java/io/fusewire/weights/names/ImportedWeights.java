// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.train.ModelFile;
import java.util.List;

/**
 * Weights of any library, ready for use.
 *
 * @param model architecture, class names, preprocessing and weights in the kernels' layouts, with
 *     padding and BatchNorm constants as the weights' source has them
 * @param classifierLoaded false if the classifier has initial values, because another class count
 *     was wanted or the file has none that was trained; then {@link ModelFile#classifierIsInitial}
 *     says so of the model's metadata too
 * @param library whose names the file's are
 * @param sourceModel that library's name of the model
 * @param format kind of file, such as {@code safetensors}
 * @param tensors how many tensors were read
 * @param remarks whole sentences on what a user should know, such as what was assumed or left out;
 *     to be shown
 */
public record ImportedWeights(
    ModelFile model,
    boolean classifierLoaded,
    Library library,
    String sourceModel,
    String format,
    int tensors,
    List<String> remarks) {
  /**
   * Copies the list.
   *
   * @param model architecture, class names, preprocessing and weights in the kernels' layouts, with
   *     padding and BatchNorm constants as the weights' source has them
   * @param classifierLoaded false if the classifier has initial values
   * @param library whose names the file's are
   * @param sourceModel that library's name of the model
   * @param format kind of file, such as {@code safetensors}
   * @param tensors how many tensors were read
   * @param remarks whole sentences on what a user should know
   */
  public ImportedWeights {
    remarks = List.copyOf(remarks);
  }

  /**
   * What was read, as one sentence.
   *
   * @return such as {@code 213 tensors of timm's tf_efficientnet_b0 from a safetensors file}
   */
  public String summary() {
    return "%d tensors of %s's %s from a %s file"
        .formatted(tensors, library.title(), sourceModel, format);
  }
}
