// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** A library that names the tensors of its networks in a way of its own. */
public enum Library {
  /** Fusewire's own model files; the names are timm's and fastai's. */
  FUSEWIRE("Fusewire"),
  /** PyTorch Image Models. */
  TIMM("timm"),
  /** PyTorch's own collection of models. */
  TORCHVISION("torchvision"),
  /** The package efficientnet_pytorch. */
  LUKEMELAS("lukemelas/EfficientNet-PyTorch"),
  /** The checkpoints of EfficientNet's authors. */
  TENSORFLOW("the official TensorFlow release"),
  /** keras.applications. */
  KERAS("Keras"),
  /** fastai's XResNets. */
  FASTAI("fastai");

  private final String title;

  Library(String title) {
    this.title = title;
  }

  /**
   * The name as sentences have it.
   *
   * @return such as {@code timm}
   */
  public String title() {
    return title;
  }

  /**
   * The name as commands and files have it.
   *
   * @return lower case
   */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Finds a library.
   *
   * @param id its name as commands have it, in any case
   * @return the library
   * @throws IllegalArgumentException if there is none of that name; the message lists those there
   *     are
   */
  public static Library byId(String id) {
    for (Library library : values()) {
      if (library.id().equalsIgnoreCase(id)) {
        return library;
      }
    }
    throw new IllegalArgumentException(
        "there is no library '%s'; there are %s"
            .formatted(
                id, Arrays.stream(values()).map(Library::id).collect(Collectors.joining(", "))));
  }
}
