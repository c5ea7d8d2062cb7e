// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.IdentityHashMap;
import java.util.List;

/**
 * Gives every value of a list of steps, and every step's workspace, a place in one arena, so that
 * two share bytes only if they are never needed at the same time. Places are chosen largest first,
 * each in the smallest gap that is free for its whole life (arXiv 2001.03288, "greedy by size").
 * The peak is known before anything is allocated.
 */
public final class MemoryPlan {
  /** Places are multiples of this many bytes. */
  public static final long ALIGNMENT = 256;

  private final IdentityHashMap<Value, Place> places = new IdentityHashMap<>();
  private final long[] workspaces;
  private long arenaBytes;
  private final long lowerBound;

  /**
   * A value's life and place.
   *
   * @param value the value; null for a step's workspace
   * @param bytes size, rounded up to the alignment
   * @param first number of the first step that touches it; -1 if it is there before the first
   * @param last number of the last step that touches it
   * @param offset place in the arena, in bytes
   */
  public record Place(Value value, long bytes, int first, int last, long offset) {
    private boolean meets(Place other) {
      return first <= other.last && other.first <= last;
    }
  }

  private MemoryPlan(List<Step> steps, Collection<Value> inputs, Collection<Value> outputs) {
    IdentityHashMap<Value, int[]> lives = new IdentityHashMap<>();
    List<Value> order = new ArrayList<>();
    for (Value input : inputs) {
      lives.put(input, new int[] {-1, -1});
      order.add(input);
    }
    List<Place> unplaced = new ArrayList<>();
    for (int s = 0; s < steps.size(); s++) {
      Step step = steps.get(s);
      for (Value value : step.reads()) {
        int[] life = lives.get(value);
        if (life == null) {
          throw new IllegalArgumentException(
              "step '%s' reads %s, which nothing has written".formatted(step.name(), value));
        }
        life[1] = s;
      }
      for (Value value : step.writes()) {
        int[] life = lives.get(value);
        if (life == null) {
          lives.put(value, new int[] {s, s});
          order.add(value);
        } else {
          life[1] = s;
        }
      }
      if (step.workspaceBytes() > 0) {
        unplaced.add(new Place(null, aligned(step.workspaceBytes()), s, s, -1));
      }
    }
    for (Value output : outputs) {
      int[] life = lives.get(output);
      if (life == null) {
        throw new IllegalArgumentException("nothing writes the output " + output);
      }
      life[1] = steps.size();
    }
    for (Value value : order) {
      int[] life = lives.get(value);
      unplaced.add(new Place(value, aligned(value.bytes()), life[0], life[1], -1));
    }
    lowerBound = lowerBound(unplaced, steps.size());
    workspaces = new long[steps.size()];
    place(unplaced);
  }

  /**
   * Plans memory.
   *
   * @param steps in the order in which they run
   * @param inputs values that are written before the first step
   * @param outputs values that are read after the last step
   * @return the plan
   * @throws IllegalArgumentException if a step reads what nothing has written
   */
  public static MemoryPlan of(
      List<Step> steps, Collection<Value> inputs, Collection<Value> outputs) {
    return new MemoryPlan(steps, inputs, outputs);
  }

  private static long aligned(long bytes) {
    return Math.addExact(bytes, ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** The most bytes alive at one time, which no plan can beat. */
  private static long lowerBound(List<Place> lives, int steps) {
    long[] change = new long[steps + 3];
    for (Place life : lives) {
      change[life.first + 1] += life.bytes;
      change[life.last + 2] -= life.bytes;
    }
    long alive = 0;
    long most = 0;
    for (long bytes : change) {
      alive += bytes;
      most = Math.max(most, alive);
    }
    return most;
  }

  private void place(List<Place> unplaced) {
    unplaced.sort(Comparator.comparingLong(Place::bytes).reversed().thenComparingInt(Place::first));
    // Kept sorted by offset, so that one walk finds all gaps.
    List<Place> placed = new ArrayList<>();
    for (Place item : unplaced) {
      long best = -1;
      long bestGap = Long.MAX_VALUE;
      long end = 0;
      for (Place other : placed) {
        if (!item.meets(other)) {
          continue;
        }
        long gap = other.offset - end;
        if (gap >= item.bytes && gap < bestGap) {
          best = end;
          bestGap = gap;
        }
        end = Math.max(end, other.offset + other.bytes);
      }
      long offset = best >= 0 ? best : end;
      Place place = new Place(item.value, item.bytes, item.first, item.last, offset);
      int at = 0;
      while (at < placed.size() && placed.get(at).offset <= offset) {
        at++;
      }
      placed.add(at, place);
      arenaBytes = Math.max(arenaBytes, Math.addExact(offset, item.bytes));
      if (item.value != null) {
        places.put(item.value, place);
      } else {
        workspaces[item.first] = offset;
      }
    }
  }

  /**
   * Size of the arena: the peak.
   *
   * @return bytes
   */
  public long arenaBytes() {
    return arenaBytes;
  }

  /**
   * The most bytes that are alive at one time: no plan can do with less.
   *
   * @return bytes
   */
  public long lowerBound() {
    return lowerBound;
  }

  /**
   * A value's life and place.
   *
   * @param value one that a step or input named
   * @return its place
   */
  public Place place(Value value) {
    Place place = places.get(value);
    if (place == null) {
      throw new IllegalArgumentException("the plan does not know " + value);
    }
    return place;
  }

  /**
   * All values' places.
   *
   * @return in no particular order
   */
  public Collection<Place> places() {
    return List.copyOf(places.values());
  }

  /**
   * Place of a step's workspace.
   *
   * @param step number of the step
   * @return offset in bytes; 0 if it has none
   */
  public long workspaceOffset(int step) {
    return workspaces[step];
  }
}
