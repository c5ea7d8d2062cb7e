// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import java.util.ArrayDeque;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Prepares the batches of one pass over a data set ahead of need, on threads of its own, and hands
 * them out in order. At most {@code threads + 2} batches are in memory at a time, and those that
 * are not given back. For use by one thread.
 */
public final class BatchLoader implements AutoCloseable {
  private final Dataset data;
  private final int[] order;
  private final int size;
  private final int batches;
  private final long seed;
  private final int ahead;
  private final ExecutorService pool;
  private final ArrayDeque<Future<Batch>> pending = new ArrayDeque<>();
  private final BatchPool batchPool;
  private int submitted;

  /**
   * Starts to prepare batches.
   *
   * @param data the data set
   * @param order indices of the images in the order of the pass
   * @param size images per batch
   * @param firstBatch batches to leave out at the start, for a resumed pass
   * @param dropLast whether to drop an incomplete last batch instead of filling it with images
   *     without a label
   * @param threads how many threads prepare batches
   * @param seed what random crops are drawn from, together with an image's index
   */
  public BatchLoader(
      Dataset data,
      int[] order,
      int size,
      int firstBatch,
      boolean dropLast,
      int threads,
      long seed) {
    this(data, order, size, firstBatch, dropLast, threads, seed, new BatchPool(null));
  }

  /**
   * Starts to prepare batches in memory of a pool.
   *
   * @param data the data set
   * @param order indices of the images in the order of the pass
   * @param size images per batch
   * @param firstBatch batches to leave out at the start, for a resumed pass
   * @param dropLast whether to drop an incomplete last batch instead of filling it with images
   *     without a label
   * @param threads how many threads prepare batches
   * @param seed what random crops are drawn from, together with an image's index
   * @param batchPool where batches are taken from, of this size and data set only
   */
  public BatchLoader(
      Dataset data,
      int[] order,
      int size,
      int firstBatch,
      boolean dropLast,
      int threads,
      long seed,
      BatchPool batchPool) {
    this.data = data;
    this.order = order;
    this.size = size;
    this.seed = seed;
    this.batchPool = batchPool;
    batches = dropLast ? order.length / size : (order.length + size - 1) / size;
    submitted = firstBatch;
    ahead = threads + 1;
    pool =
        Executors.newFixedThreadPool(
            threads,
            task -> {
              Thread thread = new Thread(task, "fusewire-decode");
              thread.setDaemon(true);
              return thread;
            });
    fillQueue();
  }

  private void fillQueue() {
    while (pending.size() < ahead && submitted < batches) {
      int from = submitted++ * size;
      int imageBytes = data.height() * data.width() * data.channels();
      pending.add(
          pool.submit(
              () -> {
                Batch batch = batchPool.take(size, imageBytes);
                batch.fill(data, order, from, seed, new byte[imageBytes]);
                return batch;
              }));
    }
  }

  /**
   * Waits for the next batch.
   *
   * @return the batch, to be given to {@link #recycle} when it has been used; null after the last
   * @throws InterruptedException if interrupted while waiting
   */
  public Batch next() throws InterruptedException {
    Future<Batch> next = pending.poll();
    if (next == null) {
      return null;
    }
    try {
      Batch batch = next.get();
      fillQueue();
      return batch;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      if (e.getCause() instanceof Error cause) {
        throw cause;
      }
      throw new IllegalStateException(e.getCause());
    }
  }

  /**
   * Gives a batch back, so that its memory serves a later one.
   *
   * @param batch a batch of this loader that is no longer used
   */
  public void recycle(Batch batch) {
    batchPool.give(batch);
  }

  /** Stops preparing batches. */
  @Override
  public void close() {
    pool.shutdownNow();
  }
}
