// SPDX-License-Identifier: Apache-2.0

/** The EfficientNet graph: memory plan, training loop, weights and data. */
module io.fusewire {
  requires transitive io.fusewire.ops;
  requires com.fasterxml.jackson.core;
  requires java.desktop;
  requires org.apache.commons.compress;
  requires xchart;

  exports io.fusewire.data;
  exports io.fusewire.graph;
  exports io.fusewire.io;
  exports io.fusewire.model;
  exports io.fusewire.train;
}
