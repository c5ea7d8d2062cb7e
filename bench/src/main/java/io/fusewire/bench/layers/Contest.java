// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * An operation of ours and what does the same in libtorch: from the same tensors to the same
 * results.
 *
 * @param ours starts our call at a place
 * @param theirs makes libtorch's, and gives its results; never called where libtorch is not
 * @param prepare makes, at place 0, what the calls read and what is not just random
 * @param operations floating-point operations of a call, those of convolutions and products; NaN
 *     where there is none of them
 * @param results our results, in the order of libtorch's
 */
record Contest(
    IntConsumer ours,
    LibtorchCall theirs,
    Runnable prepare,
    double operations,
    List<Result> results) {

  /**
   * A call of libtorch at a place. Its results are libtorch's tensors, but a type that is not on
   * the class path must not be named here: then not even a lambda that is never called could be
   * made.
   */
  interface LibtorchCall {
    /** Makes the call and gives its results. */
    Object[] at(int place);
  }

  /** The same for one tensor of libtorch's. */
  interface LibtorchValue {
    /** Makes the tensor. */
    Object at(int place);
  }

  Contest {
    results = List.copyOf(results);
  }

  /** A contest that needs no preparation. */
  static Contest of(
      IntConsumer ours, LibtorchCall theirs, double operations, SharedTensor... results) {
    return prepared(() -> {}, ours, theirs, operations, results);
  }

  /** A contest whose results are compared as a whole. */
  static Contest prepared(
      Runnable prepare,
      IntConsumer ours,
      LibtorchCall theirs,
      double operations,
      SharedTensor... results) {
    List<Result> whole = new ArrayList<>();
    for (SharedTensor result : results) {
      whole.add(Result.of(result));
    }
    return new Contest(ours, theirs, prepare, operations, whole);
  }
}
