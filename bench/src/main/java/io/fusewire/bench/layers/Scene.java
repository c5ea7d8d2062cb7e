// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import io.fusewire.ops.DType;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.ArrayList;
import java.util.List;

/** The tensors of one problem at one batch size, planned by a contest before they have memory. */
final class Scene {
  private final Stream stream;
  private final Problem problem;
  private final long batch;
  private final List<SharedTensor> read = new ArrayList<>();
  private final List<SharedTensor> written = new ArrayList<>();
  private final List<SharedTensor> beside = new ArrayList<>();
  private final List<Tensor> workspaces = new ArrayList<>();

  Scene(Stream stream, Problem problem, long batch) {
    this.stream = stream;
    this.problem = problem;
    this.batch = batch;
  }

  Stream stream() {
    return stream;
  }

  Problem problem() {
    return problem;
  }

  long batch() {
    return batch;
  }

  /** A tensor that a call must read, normally distributed. */
  SharedTensor in(SharedTensor.Form form, long... shape) {
    return in(form, 1, shape);
  }

  /** A tensor that a call must read, normally distributed with some standard deviation. */
  SharedTensor in(SharedTensor.Form form, double scale, long... shape) {
    return added(read, new SharedTensor(form, scale, shape));
  }

  /** A tensor that a call must write. */
  SharedTensor out(SharedTensor.Form form, long... shape) {
    return added(written, new SharedTensor(form, 0, shape));
  }

  /** A tensor that only one contender has, or that need not move. */
  SharedTensor beside(SharedTensor.Form form, long... shape) {
    return added(beside, new SharedTensor(form, 1, shape));
  }

  /** (height, width) before or after the layer's convolution, times some channels. */
  long[] image(boolean after, long channels) {
    int stride = after ? problem.stride() : 1;
    return new long[] {
      batch,
      (problem.height() + stride - 1) / stride,
      (problem.width() + stride - 1) / stride,
      channels
    };
  }

  private static SharedTensor added(List<SharedTensor> list, SharedTensor tensor) {
    list.add(tensor);
    return tensor;
  }

  /** Workspace of our calls, the same for all; null for no bytes. */
  Tensor workspace(long bytes) {
    return bytes == 0 ? null : bytes(bytes);
  }

  /** Memory of ours alone. */
  Tensor bytes(long bytes) {
    Tensor tensor = Tensor.allocate(stream.device(), DType.U8, bytes);
    workspaces.add(tensor);
    return tensor;
  }

  /** The least that a call can read and write: every tensor once. */
  long leastBytes() {
    return read.stream().mapToLong(SharedTensor::bytes).sum()
        + written.stream().mapToLong(SharedTensor::bytes).sum();
  }

  /** Gives all tensors their memory, and every place the same content. */
  void fill(int places, Runnable prepare) {
    List<SharedTensor> all = new ArrayList<>(read);
    all.addAll(beside);
    all.addAll(written);
    all.forEach(tensor -> tensor.allocate(stream.device(), places));
    prepare.run();
    stream.synchronize();
    for (SharedTensor tensor : all) {
      tensor.spread(written.contains(tensor));
    }
  }

  /** Frees our own memory; libtorch's is its scope's. */
  void close() {
    workspaces.forEach(Tensor::close);
  }
}
