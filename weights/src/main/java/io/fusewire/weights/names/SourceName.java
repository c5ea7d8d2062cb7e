// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

/**
 * A library's name of a parameter.
 *
 * @param name the name
 * @param axes how the library orders its axes
 */
record SourceName(String name, Axes axes) {
  /** A name with PyTorch's axes. */
  static SourceName of(String name) {
    return new SourceName(name, Axes.PYTORCH);
  }
}
