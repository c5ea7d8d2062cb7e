// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.DType;
import io.fusewire.ops.Tensor;
import java.util.IdentityHashMap;
import java.util.List;

/** Steps with their memory: runs them in order. Running it allocates nothing. */
public final class Program {
  private final List<Step> steps;
  private final MemoryPlan plan;
  private final IdentityHashMap<Value, Tensor> tensors = new IdentityHashMap<>();
  private final Runnable[] runs;
  private final Tensor[] workspaces;

  /**
   * Binds steps to an arena.
   *
   * @param steps in the order in which they run
   * @param plan their memory plan
   * @param arena U8 memory of at least {@link MemoryPlan#arenaBytes()}; owned by the caller
   */
  public Program(List<Step> steps, MemoryPlan plan, Tensor arena) {
    this.steps = List.copyOf(steps);
    this.plan = plan;
    if (arena.bytes() < plan.arenaBytes()) {
      throw new IllegalArgumentException(
          "the plan needs %d bytes, the arena has %d".formatted(plan.arenaBytes(), arena.bytes()));
    }
    for (MemoryPlan.Place place : plan.places()) {
      Value value = place.value();
      tensors.put(value, arena.slice(place.offset(), value.dtype(), value.shape()));
    }
    runs = new Runnable[steps.size()];
    workspaces = new Tensor[steps.size()];
    for (int s = 0; s < runs.length; s++) {
      long bytes = steps.get(s).workspaceBytes();
      Tensor workspace = bytes == 0 ? null : arena.slice(plan.workspaceOffset(s), DType.U8, bytes);
      workspaces[s] = workspace;
      runs[s] =
          steps
              .get(s)
              .bind()
              .apply(
                  new Step.Memory() {
                    @Override
                    public Tensor of(Value value) {
                      return tensor(value);
                    }

                    @Override
                    public Tensor workspace() {
                      return workspace;
                    }
                  });
    }
  }

  /** Runs all steps. On a GPU they are only queued. */
  public void run() {
    for (Runnable run : runs) {
      run.run();
    }
  }

  /**
   * Runs one step, for measuring it.
   *
   * @param step its number
   */
  public void run(int step) {
    runs[step].run();
  }

  /**
   * The steps.
   *
   * @return in the order in which they run
   */
  public List<Step> steps() {
    return steps;
  }

  /**
   * The memory plan.
   *
   * @return the plan
   */
  public MemoryPlan plan() {
    return plan;
  }

  /**
   * Memory of a value.
   *
   * @param value one of the plan's
   * @return a slice of the arena; valid while the value is alive by the plan
   */
  public Tensor tensor(Value value) {
    Tensor tensor = tensors.get(value);
    if (tensor == null) {
      throw new IllegalArgumentException("the program does not know " + value);
    }
    return tensor;
  }

  /**
   * A step's workspace, for measuring it.
   *
   * @param step its number
   * @return a U8 slice of the arena; null if the step needs none
   */
  public Tensor workspace(int step) {
    return workspaces[step];
  }
}
