// SPDX-License-Identifier: Apache-2.0

/** Benchmarks of operations and models against their peers. */
module io.fusewire.bench {
  requires com.fasterxml.jackson.core;
  requires com.google.protobuf;
  requires com.microsoft.onnxruntime;
  requires info.picocli;
  requires io.fusewire;
  requires java.desktop;
  requires java.management;
  requires jmh.core;
  requires org.bytedeco.openblas;
  requires org.bytedeco.pytorch;
  requires xchart;

  exports io.fusewire.bench.calls;

  opens io.fusewire.bench to
      info.picocli;
}
