// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

/** Copies of so many bytes: what moving bytes costs on a device. */
public interface Copies extends AutoCloseable {
  /**
   * Makes copies, one after the other, each at the next place. On a GPU they are only queued.
   *
   * @param times how many
   */
  void queue(int times);

  /**
   * What its times are called in results.
   *
   * @return such as {@code memcpy}
   */
  String label();

  @Override
  void close();
}
