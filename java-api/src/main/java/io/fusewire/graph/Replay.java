// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Device;
import io.fusewire.ops.Graph;
import io.fusewire.ops.Stream;

/**
 * Work on one stream that is done again and again with the same tensors, such as a training step:
 * operation by operation, or captured into a graph the second time and launched as one from then
 * on. Both ways give the same bits.
 */
public final class Replay implements AutoCloseable {
  /** How the work is done. */
  public enum Mode {
    /** Operation by operation. */
    EAGER,
    /** As a graph, from the second time on. */
    GRAPH
  }

  /**
   * System property that decides for all devices: {@code on} or {@code off}; anything else leaves
   * the choice to the device.
   */
  public static final String PROPERTY = "fusewire.graphs";

  private final Stream stream;
  private final String name;
  private final Runnable work;
  private final Mode mode;
  private boolean ran;
  private Graph graph;

  /**
   * Prepares work.
   *
   * @param stream where it runs
   * @param name for messages, such as "training step"
   * @param work calls operations on that stream only, and always the same ones; what changes from
   *     time to time is in device memory
   * @param mode how it is done
   */
  public Replay(Stream stream, String name, Runnable work, Mode mode) {
    this.stream = stream;
    this.name = name;
    this.work = work;
    this.mode = mode;
  }

  /**
   * The mode that suits a device: a graph on a GPU, where it saves the launches' time; operation by
   * operation on a CPU, where it saves nothing, and where {@code FUSEWIRE_LAUNCH_BLOCKING=1} asks
   * for errors that name the operation.
   *
   * @param device where the work runs
   * @return the mode
   */
  public static Mode modeFor(Device device) {
    return switch (System.getProperty(PROPERTY, "")) {
      case "on" -> Mode.GRAPH;
      case "off" -> Mode.EAGER;
      default ->
          device.kind() == Device.Kind.CUDA
                  && !"1".equals(System.getenv("FUSEWIRE_LAUNCH_BLOCKING"))
              ? Mode.GRAPH
              : Mode.EAGER;
    };
  }

  /** Does the work. On a GPU it is only queued. */
  public void run() {
    if (mode == Mode.EAGER || !ran) {
      // A GPU loads kernels at their first launch, which cannot be captured.
      work.run();
      ran = true;
      return;
    }
    if (graph == null) {
      graph = stream.capture(name, work);
    }
    graph.launch(stream);
  }

  /**
   * Whether the work has been captured, so that {@link #run} launches a graph.
   *
   * @return false before the second run, and always in {@link Mode#EAGER}
   */
  public boolean captured() {
    return graph != null;
  }

  /** Closes the graph, if there is one; the work could be done again. */
  @Override
  public void close() {
    if (graph != null) {
      graph.close();
      graph = null;
    }
  }
}
