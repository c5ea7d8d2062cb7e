// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.function.IntFunction;
import org.bytedeco.pytorch.Tensor;

/**
 * An operation of ours and what does the same in libtorch: from the same tensors to the same
 * results.
 *
 * @param ours starts our call at a place
 * @param theirs makes libtorch's, and gives its results
 * @param prepare makes, at place 0, what the calls read and what is not just random
 * @param operations floating-point operations of a call, those of convolutions and products; NaN
 *     where there is none of them
 * @param results where our results are, in the order of libtorch's
 */
record Contest(
    IntConsumer ours,
    LibtorchCall theirs,
    Runnable prepare,
    double operations,
    List<IntFunction<Tensor>> results) {

  /** A call of libtorch at a place. */
  interface LibtorchCall {
    /** Makes the call and gives its results. */
    Tensor[] at(int place);
  }

  Contest {
    results = List.copyOf(results);
  }

  /** A contest that needs no preparation and whose results are shared tensors. */
  static Contest of(
      IntConsumer ours, LibtorchCall theirs, double operations, SharedTensor... results) {
    return prepared(() -> {}, ours, theirs, operations, results);
  }

  /** A contest whose results are shared tensors. */
  static Contest prepared(
      Runnable prepare,
      IntConsumer ours,
      LibtorchCall theirs,
      double operations,
      SharedTensor... results) {
    List<IntFunction<Tensor>> views = new ArrayList<>();
    for (SharedTensor result : results) {
      views.add(result::torch);
    }
    return new Contest(ours, theirs, prepare, operations, views);
  }
}
