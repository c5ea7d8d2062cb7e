// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;

/**
 * An operation on a problem, with all memory it needs, to be run by us and, on the CPU, by libtorch
 * in turn. Libtorch makes the same results as a fused operation from the same tensors, one library
 * call for each step. Belongs to one thread; matches are closed in the opposite order to their
 * opening.
 */
public final class Match implements AutoCloseable {
  private static final int MOST_PLACES = 256;

  /** Images that are compared with the CPU's: enough for every step of a kernel to count. */
  private static final long COMPARED_BATCH = 2;

  private final Scene scene;
  private final Contest contest;
  private final int places;
  private final PointerScope scope;
  private final LibtorchSide libtorch;

  private Match(Scene scene, Contest contest, int places, PointerScope scope) {
    this.scene = scene;
    this.contest = contest;
    this.places = places;
    this.scope = scope;
    this.libtorch = scene.libtorch() ? new LibtorchSide(contest) : null;
  }

  /**
   * Makes an operation ready.
   *
   * @param conditions where and how it is measured
   * @param problem the layer
   * @param batch images
   * @param operation what is to be done
   * @return the match, to be closed; null if the layer has no such operation
   * @throws io.fusewire.ops.UnsupportedException if the device cannot do it for this shape
   * @throws io.fusewire.ops.DeviceMemoryException if the device has too little memory
   */
  public static Match open(
      Conditions conditions, Problem problem, long batch, Operation operation) {
    Scene scene = new Scene(conditions, problem, batch);
    PointerScope scope = new PointerScope();
    boolean open = false;
    try {
      Contest contest = contest(operation, scene);
      if (contest == null) {
        return null;
      }
      long spread = conditions.spread();
      int places = spread == 0 ? 1 : (int) Math.min(MOST_PLACES, 1 + spread / scene.leastBytes());
      if (conditions.libtorch()) {
        LibtorchSide.seed();
      }
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
   * Makes our calls, which a GPU only queues.
   *
   * @param calls how many
   */
  public void queue(int calls) {
    for (int i = 0; i < calls; i++) {
      contest.ours().accept(i % places);
    }
  }

  /**
   * Makes our calls and waits for them.
   *
   * @param calls how many
   */
  public void ours(int calls) {
    queue(calls);
    scene.stream().synchronize();
  }

  /**
   * Makes libtorch's calls; what they allocate is freed again at once.
   *
   * @param calls how many
   * @throws IllegalStateException if libtorch takes no part
   */
  public void theirs(int calls) {
    libtorch().call(calls, places);
  }

  /**
   * Makes both calls and compares their results.
   *
   * @return ours against libtorch's; NaN if ours has a NaN
   * @throws IllegalStateException if libtorch takes no part
   */
  public Difference compare() {
    ours(1);
    return libtorch().compare(contest.results());
  }

  private LibtorchSide libtorch() {
    if (libtorch == null) {
      throw new IllegalStateException("libtorch takes no part in this match");
    }
    return libtorch;
  }

  /**
   * Makes an operation's call for a few images under some conditions, and the same on the CPU in
   * f32 from the same values, and compares.
   *
   * @param conditions where and how it is measured
   * @param problem the layer
   * @param operation what is done
   * @return ours against the CPU's; null if the layer has no such operation
   */
  public static Difference compareWithCpu(
      Conditions conditions, Problem problem, Operation operation) {
    try (Stream cpu = Stream.open(Device.cpu()).threads(conditions.stream().threads());
        Match here =
            open(
                new Conditions(conditions.stream(), conditions.dtype(), false, 0),
                problem,
                COMPARED_BATCH,
                operation);
        Match there =
            open(new Conditions(cpu, DType.F32, false, 0), problem, COMPARED_BATCH, operation)) {
      if (here == null) {
        return null;
      }
      List<SharedTensor> given = here.scene.inputs();
      List<SharedTensor> copies = there.scene.inputs();
      for (int i = 0; i < given.size(); i++) {
        copies.get(i).ours(0).copyFrom(cpu, given.get(i).ours(0).toFloats(conditions.stream()));
      }
      there.contest.prepare().run();
      here.ours(1);
      there.ours(1);
      Difference worst = Difference.NONE;
      for (int i = 0; i < here.contest.results().size(); i++) {
        Result mine = here.contest.results().get(i);
        Result reference = there.contest.results().get(i);
        worst =
            worst.or(
                Difference.of(
                    mine.of(mine.tensor().ours(0).toFloats(conditions.stream())),
                    reference.of(reference.tensor().ours(0).toFloats(cpu))));
      }
      return worst;
    }
  }

  @Override
  public void close() {
    scene.close();
    scope.close();
  }
}
