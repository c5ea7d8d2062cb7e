// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import static io.fusewire.bench.layers.SharedTensor.Form.PLAIN;

import io.fusewire.ops.Activation;
import io.fusewire.ops.NormGradient;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;

/** Our gradient table of the BatchNorm behind a raw tensor, and how it is made. */
final class OutGradient {
  private final Stream stream;
  private final NormedSource result;
  private final SharedTensor diffGamma;
  private final SharedTensor diffBeta;
  private final SharedTensor table;
  private final NormGradient operation;
  private final Tensor workspace;

  OutGradient(Scene scene, NormedSource result, Activation activation) {
    this.stream = scene.stream();
    this.result = result;
    long[] shape = result.raw().shape();
    long channels = shape[3];
    diffGamma = scene.out(PLAIN, channels);
    diffBeta = scene.out(PLAIN, channels);
    table = scene.out(PLAIN, 2, channels);
    operation =
        new NormGradient(shape[0], shape[1] * shape[2], channels, scene.dtype(), activation);
    workspace = scene.workspace(operation.workspaceBytes(stream));
  }

  /** Makes the table at a place from the gradient of the activated tensor. */
  void run(SharedTensor diff, int place) {
    operation.run(
        stream,
        result.raw().ours(place),
        result.table().ours(place),
        diff.ours(place),
        null,
        diffGamma.ours(place),
        diffBeta.ours(place),
        table.ours(place),
        workspace);
  }

  SharedTensor table() {
    return table;
  }

  SharedTensor diffGamma() {
    return diffGamma;
  }

  SharedTensor diffBeta() {
    return diffBeta;
  }
}
