// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import java.lang.ref.Cleaner;
import java.util.function.Function;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;

/**
 * Native structs that live as long as the Java object that describes them: problem sizes and the
 * like, a hundred bytes each, in host memory. They are freed when unreachable. JavaCPP's own
 * deallocator is not used, because it refuses to allocate, however little, once the process has
 * more memory than a multiple of the Java heap; tensors count there.
 */
final class Struct {
  private static final Cleaner CLEANER = Cleaner.create();

  private Struct() {}

  /** A zeroed struct of the type that {@code cast} makes of a pointer. */
  static <P extends Pointer> P allocate(Class<P> type, Function<Pointer, P> cast) {
    long bytes = Loader.sizeof(type);
    if (bytes <= 0) {
      throw new FusewireException("The native binding does not know " + type.getSimpleName());
    }
    return zeroed(cast, bytes);
  }

  /** Zeroed host memory of a number of bytes. */
  static <P extends Pointer> P zeroed(Function<Pointer, P> cast, long bytes) {
    Pointer memory = Pointer.calloc(1, bytes);
    if (memory == null || memory.isNull()) {
      throw new OutOfMemoryError("No " + bytes + " bytes of host memory");
    }
    P struct = cast.apply(memory);
    CLEANER.register(struct, () -> Pointer.free(memory));
    return struct;
  }
}
