// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import io.fusewire.ops.Device;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Batches that are filled again and again, pass after pass: pinning their memory for a device takes
 * long. For use by any number of threads.
 */
public final class BatchPool implements AutoCloseable {
  private final Device device;
  private final Queue<Batch> free = new ConcurrentLinkedQueue<>();
  private final List<Batch> pinned = new ArrayList<>();

  /**
   * Makes an empty pool.
   *
   * @param device the device that batches are pinned for; null to pin none
   */
  public BatchPool(Device device) {
    this.device = device;
  }

  /** A batch that nobody uses, or a new one; all batches of a pool have one size. */
  Batch take(int size, int imageBytes) {
    Batch batch = free.poll();
    if (batch != null) {
      return batch;
    }
    Batch made = new Batch(size, imageBytes, device);
    if (device != null) {
      synchronized (pinned) {
        pinned.add(made);
      }
    }
    return made;
  }

  /**
   * Gives a batch back.
   *
   * @param batch one of this pool that is no longer used
   */
  public void give(Batch batch) {
    free.add(batch);
  }

  /** Unpins the batches; those that are still in use stay valid host memory. */
  @Override
  public void close() {
    synchronized (pinned) {
      pinned.forEach(batch -> batch.pinned().close());
      pinned.clear();
    }
  }
}
