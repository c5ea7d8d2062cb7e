// SPDX-License-Identifier: Apache-2.0

/** Trained weights of other libraries: their file formats and their names. */
module io.fusewire.weights {
  requires transitive io.fusewire;
  requires com.fasterxml.jackson.core;
  requires com.google.protobuf;
  requires io.jhdf;
  requires org.apache.commons.compress;
  requires pickle;

  exports io.fusewire.weights;
  exports io.fusewire.weights.names;
}
