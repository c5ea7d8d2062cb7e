// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import io.fusewire.ops.DType;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.ArrayList;
import java.util.List;

/** The tensors of one problem at one batch size, planned by a contest before they have memory. */
final class Scene {
  private static final long SEED = 1;

  private final Conditions conditions;
  private final Problem problem;
  private final long batch;
  private final List<SharedTensor> read = new ArrayList<>();
  private final List<SharedTensor> written = new ArrayList<>();
  private final List<SharedTensor> beside = new ArrayList<>();
  private final List<Tensor> workspaces = new ArrayList<>();

  Scene(Conditions conditions, Problem problem, long batch) {
    this.conditions = conditions;
    this.problem = problem;
    this.batch = batch;
  }

  Stream stream() {
    return conditions.stream();
  }

  /** Storage type of activations. */
  DType dtype() {
    return conditions.dtype();
  }

  /** Whether libtorch takes part. */
  boolean libtorch() {
    return conditions.libtorch();
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
    return added(read, new SharedTensor(form, dtype(), scale, shape));
  }

  /** A tensor that a call must write. */
  SharedTensor out(SharedTensor.Form form, long... shape) {
    return added(written, new SharedTensor(form, dtype(), 0, shape));
  }

  /** A tensor that only one contender has, or that need not move. */
  SharedTensor beside(SharedTensor.Form form, long... shape) {
    return added(beside, new SharedTensor(form, dtype(), 1, shape));
  }

  /** A tensor that only libtorch has, such as what it keeps of a forward pass; else null. */
  SharedTensor libtorchs(SharedTensor.Form form, long... shape) {
    return libtorch() ? beside(form, shape) : null;
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
    Tensor tensor = Tensor.allocate(stream().device(), DType.U8, bytes);
    workspaces.add(tensor);
    return tensor;
  }

  /** The least that a call can read and write: every tensor once. */
  long leastBytes() {
    return read.stream().mapToLong(SharedTensor::bytes).sum()
        + written.stream().mapToLong(SharedTensor::bytes).sum();
  }

  /** What calls only read, whoever makes them. */
  List<SharedTensor> inputs() {
    List<SharedTensor> inputs = new ArrayList<>(read);
    inputs.addAll(beside);
    return inputs;
  }

  /** Gives all tensors their memory, and every place the same content. */
  void fill(int places, Runnable prepare) {
    List<SharedTensor> all = inputs();
    all.addAll(written);
    RandomValues random = new RandomValues(SEED);
    all.forEach(tensor -> tensor.allocate(stream(), places, libtorch(), random));
    prepare.run();
    stream().synchronize();
    for (SharedTensor tensor : all) {
      tensor.spread(stream(), dtype(), written.contains(tensor));
    }
    stream().synchronize();
  }

  /** Frees our own memory; libtorch's is its scope's. */
  void close() {
    workspaces.forEach(Tensor::close);
    read.forEach(SharedTensor::close);
    written.forEach(SharedTensor::close);
    beside.forEach(SharedTensor::close);
  }
}
