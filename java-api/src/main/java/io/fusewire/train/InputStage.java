// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.data.Batch;
import io.fusewire.data.BatchPool;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.Event;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;

/**
 * Brings batches to a network's input. On a GPU they travel while earlier steps compute: from
 * pinned host memory, on a stream of their own, into a staged copy on the device, which the step's
 * stream copies into place when it gets there. Elsewhere a copy has finished when it returns, and
 * goes straight into place.
 */
final class InputStage implements AutoCloseable {
  private final Stream stream;
  private final Tensor images;
  private final Tensor labels;
  private final BatchPool pool;
  private final boolean overlapped;

  // The rest is of overlapped input only.
  private Stream copies;
  private Tensor staged;
  private Tensor stagedImages;
  private Tensor stagedLabels;
  private Event consumed;
  private final Event[] arrived = new Event[2];
  private final Batch[] travelling = new Batch[2];
  private int next;

  /**
   * Prepares for batches of one network.
   *
   * @param stream where the network runs
   * @param images its images, U8
   * @param labels its labels, I32
   * @param overlapped whether batches travel while earlier steps compute
   */
  InputStage(Stream stream, Tensor images, Tensor labels, boolean overlapped) {
    this.stream = stream;
    this.images = images;
    this.labels = labels;
    this.overlapped = overlapped;
    Device device = stream.device();
    pool = new BatchPool(overlapped ? device : null);
    if (!overlapped) {
      return;
    }
    copies = Stream.open(device);
    long labelOffset = Batch.labelOffset(images.bytes());
    staged = Tensor.allocate(device, DType.U8, labelOffset + labels.bytes());
    stagedImages = staged.slice(0, DType.U8, images.shape());
    stagedLabels = staged.slice(labelOffset, DType.I32, labels.shape());
    consumed = Event.open(device);
    for (int i = 0; i < arrived.length; i++) {
      arrived[i] = Event.open(device);
    }
  }

  /** Whether input overlaps with computation on a device. */
  static boolean overlaps(Device device) {
    return device.kind() == Device.Kind.CUDA;
  }

  /** Where the batches come from. */
  BatchPool pool() {
    return pool;
  }

  /** Brings a batch, which is this object's from now on until {@link #recycle}. */
  void put(Batch batch) {
    if (!overlapped) {
      images.copyFrom(stream, batch.images());
      labels.copyFrom(stream, batch.labels());
      travelling[next] = batch;
      return;
    }
    // The step before this one may not have taken its input yet.
    copies.waitFor(consumed);
    staged.copyFromAsync(copies, batch.pinned());
    arrived[next].record(copies);
    travelling[next] = batch;
    stream.waitFor(arrived[next]);
    images.copyFrom(stream, stagedImages);
    labels.copyFrom(stream, stagedLabels);
    consumed.record(stream);
    next = 1 - next;
  }

  /** Gives batches back that the device has: all of them, or all but the last. */
  void recycle(boolean all) {
    if (!overlapped) {
      give(next);
      return;
    }
    give(next);
    if (all) {
      give(1 - next);
    }
  }

  private void give(int slot) {
    if (travelling[slot] == null) {
      return;
    }
    if (overlapped) {
      arrived[slot].synchronize();
    }
    pool.give(travelling[slot]);
    travelling[slot] = null;
  }

  @Override
  public void close() {
    pool.close();
    if (overlapped) {
      copies.close();
      consumed.close();
      for (Event event : arrived) {
        event.close();
      }
      staged.close();
    }
  }
}
