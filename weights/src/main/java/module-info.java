// SPDX-License-Identifier: Apache-2.0

/** Trained weights of other libraries: their file formats and their names. */
module io.fusewire.weights {
  requires transitive io.fusewire;

  exports io.fusewire.weights;
}
