// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.ops.Meter;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;

/**
 * A network's bytes per image at a large batch, from counts at two small ones: what a batch costs
 * is a part for every image and a part, such as reading the weights, that all images share, so two
 * counts give both. Where an operation splits sums into fewer parts at a large batch than at a
 * small one, this is a little more than it will then be. Requested bytes are not quite so regular,
 * since tiles of rows are padded, and depend on the compiler.
 */
final class TrafficCounts {
  private final NetworkTraffic few;
  private final NetworkTraffic many;
  private final int batch;

  /**
   * Two counts of one network.
   *
   * @param few at one batch size
   * @param many at a larger one
   * @param batch the size that figures are given for
   */
  TrafficCounts(NetworkTraffic few, NetworkTraffic many, int batch) {
    if (few.batch() >= many.batch() || few.steps().size() != many.steps().size()) {
      throw new IllegalArgumentException(
          "%d steps at batch %d and %d at %d do not go together"
              .formatted(few.steps().size(), few.batch(), many.steps().size(), many.batch()));
    }
    this.few = few;
    this.many = many;
    this.batch = batch;
  }

  int batch() {
    return batch;
  }

  /** The batch sizes that were run. */
  List<Integer> batches() {
    return List.of(few.batch(), many.batch());
  }

  int steps() {
    return few.steps().size();
  }

  /** A step as it was at the smaller batch, for its name and tensors. */
  StepTraffic step(int index) {
    return few.steps().get(index);
  }

  /** All that a step moves. */
  Bytes of(int step) {
    return perImage(few.steps().get(step), many.steps().get(step), s -> true);
  }

  /** What steps move of tensors of one kind. */
  Bytes of(StepTraffic.Phase phase, TensorTraffic.Kind kind) {
    Bytes sum = Bytes.NONE;
    for (int i = 0; i < steps(); i++) {
      if (step(i).phase() == phase) {
        sum = sum.plus(perImage(few.steps().get(i), many.steps().get(i), t -> t.kind() == kind));
      }
    }
    return sum;
  }

  /** Everything. */
  Bytes total() {
    Bytes sum = Bytes.NONE;
    for (int i = 0; i < steps(); i++) {
      sum = sum.plus(of(i));
    }
    return sum;
  }

  /** Bytes saved for the backward pass. */
  double saved() {
    return at((double) few.saved(), (double) many.saved());
  }

  /** Names of the tensors of a step, with what moves of each. */
  List<NamedBytes> tensors(int step) {
    List<NamedBytes> list = new ArrayList<>();
    for (TensorTraffic tensor : step(step).tensors()) {
      Predicate<TensorTraffic> same =
          t -> t.kind() == tensor.kind() && t.name().equals(tensor.name());
      list.add(
          new NamedBytes(
              tensor.name(),
              tensor.kind(),
              perImage(few.steps().get(step), many.steps().get(step), same)));
    }
    return list;
  }

  /**
   * A tensor's bytes.
   *
   * @param name the tensor's
   * @param kind what it is for
   * @param bytes per image
   */
  record NamedBytes(String name, TensorTraffic.Kind kind, Bytes bytes) {}

  private Bytes perImage(StepTraffic less, StepTraffic more, Predicate<TensorTraffic> which) {
    Bytes a = sum(less, which);
    Bytes b = sum(more, which);
    return new Bytes(
        at(a, b, Bytes::read),
        at(a, b, Bytes::written),
        at(a, b, Bytes::requested),
        at(a, b, Bytes::least));
  }

  private static Bytes sum(StepTraffic step, Predicate<TensorTraffic> which) {
    Meter.Traffic moved = Meter.Traffic.NONE;
    long least = 0;
    for (TensorTraffic tensor : step.tensors()) {
      if (which.test(tensor)) {
        moved = moved.plus(tensor.moved());
        least += tensor.leastRead() + tensor.leastWritten();
      }
    }
    return Bytes.of(moved, least);
  }

  private double at(Bytes a, Bytes b, ToDoubleFunction<Bytes> figure) {
    return at(figure.applyAsDouble(a), figure.applyAsDouble(b));
  }

  /** Per image at {@link #batch} of something that is a and b at the two batch sizes. */
  private double at(double a, double b) {
    double each = (b - a) / (many.batch() - few.batch());
    double shared = a - each * few.batch();
    return each + shared / batch;
  }
}
