// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import java.nio.ByteBuffer;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.ShortPointer;

/**
 * Copies between Java arrays and device memory through a small piece of host memory per thread: it
 * stays in the cache, and nothing is allocated per copy.
 */
final class HostCopy {
  private static final int CHUNK_BYTES = 1 << 18;
  private static final ThreadLocal<HostCopy> LOCAL = ThreadLocal.withInitial(HostCopy::new);

  private final BytePointer bytes = Struct.zeroed(BytePointer::new, CHUNK_BYTES);
  private final FloatPointer floats = new FloatPointer(bytes);
  private final IntPointer ints = new IntPointer(bytes);
  private final ShortPointer shorts = new ShortPointer(bytes);
  private final short[] halves = new short[CHUNK_BYTES / 2];

  private HostCopy() {}

  static void fromFloats(Tensor tensor, Stream stream, float[] source) {
    String operation = "Tensor.copyFrom";
    Checks.notNull(operation, "source", source);
    long address = floating(operation, tensor, stream);
    length(operation, tensor, source.length, "floats", tensor.elements());
    HostCopy local = LOCAL.get();
    int step = CHUNK_BYTES / tensor.dtype().bytes();
    for (int i = 0; i < source.length; i += step) {
      int n = Math.min(step, source.length - i);
      if (tensor.dtype() == DType.F32) {
        local.floats.put(source, i, n);
      } else {
        for (int j = 0; j < n; j++) {
          local.halves[j] = Float16.round(tensor.dtype(), source[i + j]);
        }
        local.shorts.put(local.halves, 0, n);
      }
      local.send(stream, address, (long) i * tensor.dtype().bytes(), n * tensor.dtype().bytes());
    }
    Checks.reachable(tensor, stream, null, null);
  }

  static void toFloats(Tensor tensor, Stream stream, float[] destination) {
    String operation = "Tensor.copyTo";
    Checks.notNull(operation, "destination", destination);
    long address = floating(operation, tensor, stream);
    length(operation, tensor, destination.length, "floats", tensor.elements());
    HostCopy local = LOCAL.get();
    int step = CHUNK_BYTES / tensor.dtype().bytes();
    for (int i = 0; i < destination.length; i += step) {
      int n = Math.min(step, destination.length - i);
      local.receive(stream, address, (long) i * tensor.dtype().bytes(), n * tensor.dtype().bytes());
      if (tensor.dtype() == DType.F32) {
        local.floats.get(destination, i, n);
      } else {
        local.shorts.get(local.halves, 0, n);
        for (int j = 0; j < n; j++) {
          destination[i + j] = Float16.widen(tensor.dtype(), local.halves[j]);
        }
      }
    }
    Checks.reachable(tensor, stream, null, null);
  }

  static void fromInts(Tensor tensor, Stream stream, int[] source) {
    String operation = "Tensor.copyFrom";
    Checks.notNull(operation, "source", source);
    Checks.stream(operation, stream);
    long address = Checks.tensor(operation, "the tensor", tensor, stream, DType.I32);
    length(operation, tensor, source.length, "ints", tensor.elements());
    HostCopy local = LOCAL.get();
    int step = CHUNK_BYTES / 4;
    for (int i = 0; i < source.length; i += step) {
      int n = Math.min(step, source.length - i);
      local.ints.put(source, i, n);
      local.send(stream, address, 4L * i, 4 * n);
    }
    Checks.reachable(tensor, stream, null, null);
  }

  static void toInts(Tensor tensor, Stream stream, int[] destination) {
    String operation = "Tensor.copyTo";
    Checks.notNull(operation, "destination", destination);
    Checks.stream(operation, stream);
    long address = Checks.tensor(operation, "the tensor", tensor, stream, DType.I32);
    length(operation, tensor, destination.length, "ints", tensor.elements());
    HostCopy local = LOCAL.get();
    int step = CHUNK_BYTES / 4;
    for (int i = 0; i < destination.length; i += step) {
      int n = Math.min(step, destination.length - i);
      local.receive(stream, address, 4L * i, 4 * n);
      local.ints.get(destination, i, n);
    }
    Checks.reachable(tensor, stream, null, null);
  }

  static void fromBytes(Tensor tensor, Stream stream, ByteBuffer source) {
    String operation = "Tensor.copyFrom";
    Checks.notNull(operation, "source", source);
    Checks.stream(operation, stream);
    long address = Checks.tensor(operation, "the tensor", tensor, stream, tensor.dtype());
    length(operation, tensor, source.remaining(), "bytes", tensor.bytes());
    if (source.isDirect()) {
      BytePointer host = new BytePointer(source.slice());
      Status.check(
          Fusewire.fw_copy_from_host(stream.handle(), address, host.address(), tensor.bytes()));
      Checks.reachable(tensor, stream, source, host);
      return;
    }
    HostCopy local = LOCAL.get();
    byte[] chunk = new byte[Math.min(CHUNK_BYTES, source.remaining())];
    ByteBuffer rest = source.duplicate();
    for (long done = 0; rest.hasRemaining(); ) {
      int n = Math.min(chunk.length, rest.remaining());
      rest.get(chunk, 0, n);
      local.bytes.put(chunk, 0, n);
      local.send(stream, address, done, n);
      done += n;
    }
    Checks.reachable(tensor, stream, null, null);
  }

  static void toBytes(Tensor tensor, Stream stream, ByteBuffer destination) {
    String operation = "Tensor.copyTo";
    Checks.notNull(operation, "destination", destination);
    Checks.stream(operation, stream);
    long address = Checks.tensor(operation, "the tensor", tensor, stream, tensor.dtype());
    length(operation, tensor, destination.remaining(), "bytes", tensor.bytes());
    if (destination.isReadOnly()) {
      throw new IllegalArgumentException(operation + ": the destination is read-only");
    }
    if (destination.isDirect()) {
      BytePointer host = new BytePointer(destination.slice());
      Status.check(
          Fusewire.fw_copy_to_host(stream.handle(), host.address(), address, tensor.bytes()));
      Checks.reachable(tensor, stream, destination, host);
      return;
    }
    HostCopy local = LOCAL.get();
    byte[] chunk = new byte[Math.min(CHUNK_BYTES, destination.remaining())];
    ByteBuffer rest = destination.duplicate();
    for (long done = 0; rest.hasRemaining(); ) {
      int n = Math.min(chunk.length, rest.remaining());
      local.receive(stream, address, done, n);
      local.bytes.get(chunk, 0, n);
      rest.put(chunk, 0, n);
      done += n;
    }
    Checks.reachable(tensor, stream, null, null);
  }

  static void fromTensor(Tensor tensor, Stream stream, Tensor source) {
    String operation = "Tensor.copyFrom";
    long handle = Checks.stream(operation, stream);
    long to = Checks.tensor(operation, "the destination", tensor, stream, tensor.dtype());
    long from = Checks.tensor(operation, "the source", source, stream, tensor.dtype());
    length(operation, tensor, source.elements(), "elements", tensor.elements());
    Checks.sameOrDisjoint(operation, "the destination", tensor, "the source", source);
    if (to != from && tensor.elements() > 0) {
      Status.check(Fusewire.fw_copy(handle, to, from, tensor.bytes()));
    }
    Checks.reachable(tensor, stream, source, null);
  }

  static void fill(Tensor tensor, Stream stream, int value) {
    String operation = "Tensor.fill";
    long handle = Checks.stream(operation, stream);
    long address = Checks.tensor(operation, "the tensor", tensor, stream, tensor.dtype());
    if (value < 0 || value > 255) {
      throw new IllegalArgumentException(operation + ": value is " + value + ", 0 to 255 fit");
    }
    if (tensor.elements() > 0) {
      Status.check(Fusewire.fw_fill(handle, address, (byte) value, tensor.bytes()));
    }
    Checks.reachable(tensor, stream, null, null);
  }

  private void send(Stream stream, long address, long offset, int count) {
    Status.check(
        Fusewire.fw_copy_from_host(stream.handle(), address + offset, bytes.address(), count));
  }

  private void receive(Stream stream, long address, long offset, int count) {
    Status.check(
        Fusewire.fw_copy_to_host(stream.handle(), bytes.address(), address + offset, count));
  }

  private static long floating(String operation, Tensor tensor, Stream stream) {
    Checks.stream(operation, stream);
    if (!tensor.dtype().isFloating()) {
      throw new IllegalArgumentException(
          operation + ": a float[] fits an F32, BF16 or F16 tensor, not " + tensor);
    }
    return Checks.tensor(operation, "the tensor", tensor, stream, tensor.dtype());
  }

  private static void length(String operation, Tensor tensor, long given, String unit, long fits) {
    if (given != fits) {
      throw new IllegalArgumentException(
          operation + ": " + given + " " + unit + " given, " + fits + " fit " + tensor);
    }
  }
}
