// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Tensor;
import java.util.List;
import java.util.function.Function;

/**
 * One thing a graph does: an operation's forward pass, or part of its backward pass. Says what it
 * touches, so that memory can be planned before anything runs.
 *
 * @param name for messages
 * @param reads values it reads
 * @param writes values it writes; one that it also reads is changed in place
 * @param workspaceBytes memory it needs only while it runs
 * @param bind makes what runs the step, once every value has its memory
 */
public record Step(
    String name,
    List<Value> reads,
    List<Value> writes,
    long workspaceBytes,
    Function<Memory, Runnable> bind) {

  /**
   * Copies the lists.
   *
   * @param name for messages
   * @param reads values it reads
   * @param writes values it writes; one that it also reads is changed in place
   * @param workspaceBytes memory it needs only while it runs
   * @param bind makes what runs the step, once every value has its memory
   */
  public Step {
    reads = List.copyOf(reads);
    writes = List.copyOf(writes);
    if (workspaceBytes < 0) {
      throw new IllegalArgumentException(name + ": a workspace of " + workspaceBytes + " bytes");
    }
  }

  /** Where values lie. */
  public interface Memory {
    /**
     * The tensor of a value.
     *
     * @param value one that the step reads or writes
     * @return a slice of the arena
     */
    Tensor of(Value value);

    /**
     * The step's workspace.
     *
     * @return a U8 slice of the arena; null if the step needs none
     */
    Tensor workspace();
  }
}
