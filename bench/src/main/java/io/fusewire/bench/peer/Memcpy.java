// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.bytedeco.javacpp.Pointer;

/**
 * The C library's memcpy on several threads, each copying its share: what moving bytes costs on
 * this machine.
 */
public final class Memcpy implements Copies {
  private final ExecutorService pool;
  private final List<Callable<Void>> shares = new ArrayList<>();
  private final Pointer from;
  private final Pointer to;
  private int repeats = 1;

  /**
   * Prepares copies that read and write so many bytes in all, half of them each.
   *
   * @param traffic bytes read plus bytes written by one copy
   * @param threads how many threads copy
   * @param places number of places that copies go through in turn; many make every copy miss the
   *     caches
   */
  public Memcpy(long traffic, int threads, int places) {
    long bytes = traffic / 2;
    from = touched(bytes * places);
    to = touched(bytes * places);
    pool = Executors.newFixedThreadPool(threads);
    for (int t = 0; t < threads; t++) {
      long begin = bytes * t / threads;
      long share = bytes * (t + 1) / threads - begin;
      shares.add(
          () -> {
            Pointer[] sources = new Pointer[places];
            Pointer[] targets = new Pointer[places];
            for (int place = 0; place < places; place++) {
              sources[place] = at(from, place * bytes + begin);
              targets[place] = at(to, place * bytes + begin);
            }
            for (int i = 0; i < repeats; i++) {
              Pointer.memcpy(targets[i % places], sources[i % places], share);
            }
            return null;
          });
    }
  }

  /**
   * Fresh memory is one shared page of zeros until it is written; reading that would cost nothing.
   */
  private static Pointer touched(long bytes) {
    return Pointer.memset(Pointer.malloc(bytes), 1, bytes);
  }

  private static Pointer at(Pointer pointer, long offset) {
    return new Pointer(pointer).getPointer(offset);
  }

  /**
   * Copies several times; returns when all threads have.
   *
   * @param times how often
   * @throws IllegalStateException if a thread fails or this one is interrupted
   */
  @Override
  public void queue(int times) {
    repeats = times;
    try {
      for (Future<Void> share : pool.invokeAll(shares)) {
        share.get();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while copying", e);
    } catch (ExecutionException e) {
      throw new IllegalStateException("copying failed", e);
    }
  }

  @Override
  public String label() {
    return "memcpy";
  }

  @Override
  public void close() {
    pool.shutdownNow();
    Pointer.free(from);
    Pointer.free(to);
  }
}
