// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import io.fusewire.ops.Stream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * An operation on a problem, with all memory it needs, to be run by us and by libtorch in turn. The
 * peer of a fused operation makes the same results from the same tensors, one library call for each
 * step. Belongs to one thread; matches are closed in the opposite order to their opening.
 */
public final class Match implements AutoCloseable {
  private static final int MOST_PLACES = 256;
  private static final long SEED = 1;

  private final Scene scene;
  private final Contest contest;
  private final int places;
  private final PointerScope scope;

  /**
   * How far our results are from libtorch's, the worst over all results.
   *
   * @param relative 2-norm of the difference over the 2-norm of libtorch's result
   * @param largest largest difference over the largest absolute value of libtorch's result
   */
  public record Difference(double relative, double largest) {}

  private Match(Scene scene, Contest contest, int places, PointerScope scope) {
    this.scene = scene;
    this.contest = contest;
    this.places = places;
    this.scope = scope;
  }

  /**
   * Makes an operation ready.
   *
   * @param stream where our calls run, on the CPU
   * @param problem the layer
   * @param batch images
   * @param operation what is to be done
   * @param spread bytes that consecutive calls go through before they come back to the same place;
   *     several times the caches' size makes every call miss them, 0 makes all calls use one place
   * @return the match, to be closed; null if the layer has no such operation
   */
  public static Match open(
      Stream stream, Problem problem, long batch, Operation operation, long spread) {
    Scene scene = new Scene(stream, problem, batch);
    PointerScope scope = new PointerScope();
    boolean open = false;
    try {
      Contest contest = contest(operation, scene);
      if (contest == null) {
        return null;
      }
      long bytes = scene.leastBytes();
      int places = spread == 0 ? 1 : (int) Math.min(MOST_PLACES, 1 + spread / bytes);
      torch.manual_seed(SEED);
      scene.fill(places, contest.prepare());
      open = true;
      return new Match(scene, contest, places, scope);
    } finally {
      if (!open) {
        scene.close();
        scope.close();
      }
    }
  }

  private static Contest contest(Operation operation, Scene scene) {
    Layer layer = scene.problem().layer();
    boolean convolution =
        layer != Layer.SQUEEZE_EXCITE && layer != Layer.POOL && layer != Layer.CLASSIFIER;
    Contest norm = convolution ? NormContests.of(operation, scene) : null;
    if (norm != null) {
      return norm;
    }
    return switch (layer) {
      case STEM -> DenseContests.of(operation, scene);
      case DEPTHWISE -> DepthwiseContests.of(operation, scene);
      case SQUEEZE_EXCITE -> SqueezeExciteContests.of(operation, scene);
      case POOL -> HeadContests.pool(operation, scene);
      case CLASSIFIER -> HeadContests.classifier(operation, scene);
      case EXPAND, PROJECT, HEAD -> {
        Contest fused = FusedPointwiseContests.of(operation, scene);
        yield fused == null ? PointwiseContests.of(operation, scene) : fused;
      }
    };
  }

  /**
   * Places that consecutive calls go through.
   *
   * @return at least 1
   */
  public int places() {
    return places;
  }

  /**
   * The least that a call can read and write: every tensor once.
   *
   * @return bytes
   */
  public long leastBytes() {
    return scene.leastBytes();
  }

  /**
   * Floating-point operations of a call's convolutions and products.
   *
   * @return a number; NaN if the operation has neither
   */
  public double operations() {
    return contest.operations();
  }

  /**
   * Makes our calls and waits for them.
   *
   * @param calls how many
   */
  public void ours(int calls) {
    for (int i = 0; i < calls; i++) {
      contest.ours().accept(i % places);
    }
    scene.stream().synchronize();
  }

  /**
   * Makes libtorch's calls; what they allocate is freed again at once.
   *
   * @param calls how many
   */
  public void theirs(int calls) {
    for (int i = 0; i < calls; i++) {
      try (PointerScope results = new PointerScope();
          AutoGradMode off = new AutoGradMode(false)) {
        contest.theirs().at(i % places);
      }
    }
  }

  /**
   * Makes both calls and compares their results.
   *
   * @return the difference; NaN if ours has a NaN
   */
  public Difference compare() {
    ours(1);
    double relative = 0;
    double largest = 0;
    try (PointerScope results = new PointerScope();
        AutoGradMode off = new AutoGradMode(false)) {
      Tensor[] expected = contest.theirs().at(0);
      if (expected.length != contest.results().size()) {
        throw new IllegalStateException(
            expected.length + " results of libtorch, " + contest.results().size() + " of ours");
      }
      for (int i = 0; i < expected.length; i++) {
        Tensor wide = expected[i].to(torch.ScalarType.Double).reshape(-1);
        Tensor ours = contest.results().get(i).apply(0);
        Tensor error = ours.to(torch.ScalarType.Double).reshape(-1).sub(wide);
        relative = Math.max(relative, error.norm().item_double() / wide.norm().item_double());
        largest =
            Math.max(largest, error.abs().max().item_double() / wide.abs().max().item_double());
      }
    }
    return new Difference(relative, largest);
  }

  @Override
  public void close() {
    scene.close();
    scope.close();
  }
}
