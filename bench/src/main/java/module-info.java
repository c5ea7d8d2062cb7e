// SPDX-License-Identifier: Apache-2.0

/** Benchmarks of operations and models against their peers. */
module io.fusewire.bench {
  requires com.fasterxml.jackson.core;
  requires info.picocli;
  requires io.fusewire;
  requires java.desktop;
  requires java.management;
  requires xchart;

  // The peers and their tools, which a bundle leaves out: peer.Installed says which are there.
  requires static com.google.protobuf;
  requires static com.microsoft.onnxruntime;
  requires static jmh.core;
  requires static org.bytedeco.openblas;
  requires static org.bytedeco.pytorch;

  exports io.fusewire.bench.calls;

  opens io.fusewire.bench to
      info.picocli;
}
