// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

import io.fusewire.ops.DType;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;

/** Copies within a device's memory, by the driver on a GPU. */
public final class DeviceCopies implements Copies {
  /** Places begin where every copy engine is at its best. */
  private static final long ALIGNMENT = 256;

  private final Stream stream;
  private final Tensor from;
  private final Tensor to;
  private final Tensor[] sources;
  private final Tensor[] targets;

  /**
   * Prepares copies that read and write so many bytes in all, half of them each.
   *
   * @param stream where they are made
   * @param traffic bytes read plus bytes written by one copy
   * @param places number of places that copies go through in turn; many make every copy miss the
   *     caches
   */
  public DeviceCopies(Stream stream, long traffic, int places) {
    this.stream = stream;
    long bytes = Math.max(1, traffic / 2);
    long pitch = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    from = Tensor.allocate(stream.device(), DType.U8, pitch * places);
    Tensor second = null;
    try {
      second = Tensor.allocate(stream.device(), DType.U8, pitch * places);
    } finally {
      if (second == null) {
        from.close();
      }
    }
    to = second;
    // Memory that was never written may be no memory yet.
    from.fill(stream, 1);
    to.fill(stream, 1);
    sources = new Tensor[places];
    targets = new Tensor[places];
    for (int place = 0; place < places; place++) {
      sources[place] = from.slice(place * pitch, DType.U8, bytes);
      targets[place] = to.slice(place * pitch, DType.U8, bytes);
    }
  }

  @Override
  public void queue(int times) {
    for (int i = 0; i < times; i++) {
      int place = i % targets.length;
      targets[place].copyFrom(stream, sources[place]);
    }
  }

  @Override
  public String label() {
    return "device copy";
  }

  @Override
  public void close() {
    from.close();
    to.close();
  }
}
