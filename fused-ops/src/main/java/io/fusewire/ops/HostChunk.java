// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.ShortBuffer;
import org.bytedeco.javacpp.BytePointer;

/**
 * A small piece of host memory per thread, through which Java arrays are copied to and from
 * devices: it stays in the cache, and nothing is allocated per copy.
 */
final class HostChunk {
  static final int BYTES = 1 << 18;
  private static final ThreadLocal<HostChunk> LOCAL = ThreadLocal.withInitial(HostChunk::new);

  final ByteBuffer bytes = ByteBuffer.allocateDirect(BYTES).order(ByteOrder.nativeOrder());
  final FloatBuffer floats = bytes.asFloatBuffer();
  final IntBuffer ints = bytes.asIntBuffer();
  final ShortBuffer shorts = bytes.asShortBuffer();
  private final long address = new BytePointer(bytes).address();

  private HostChunk() {}

  static HostChunk local() {
    return LOCAL.get();
  }

  /** Copies the first {@code count} bytes to an address on the stream's device. */
  void send(Stream stream, long to, int count) {
    Status.check(Fusewire.fw_copy_from_host(stream.handle(), to, address, count));
  }

  /** Fills the first {@code count} bytes from an address on the stream's device. */
  void receive(Stream stream, long from, int count) {
    Status.check(Fusewire.fw_copy_to_host(stream.handle(), address, from, count));
  }
}
