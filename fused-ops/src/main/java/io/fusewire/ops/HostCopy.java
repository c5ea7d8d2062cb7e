// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import java.nio.ByteBuffer;
import org.bytedeco.javacpp.BytePointer;

/** Copies between tensors and one kind of host array, chunk by chunk. */
abstract class HostCopy<A> {
  static final HostCopy<float[]> FLOATS = new Floats();
  static final HostCopy<int[]> INTS = new Ints();
  static final HostCopy<byte[]> BYTES = new Bytes();
  static final HostCopy<ByteBuffer> RAW = new Raw();

  private final String unit;

  private HostCopy(String unit) {
    this.unit = unit;
  }

  /** Fills a tensor from an array. */
  void from(Tensor tensor, Stream stream, A source) {
    String operation = "Tensor.copyFrom";
    Checks.notNull(operation, "source", source);
    long address = address(operation, tensor, stream);
    checkLength(operation, tensor, length(source));
    copyFrom(tensor, stream, address, source);
    Checks.reachable(tensor, stream, source, null);
  }

  /** Fills an array from a tensor. */
  void to(Tensor tensor, Stream stream, A destination) {
    String operation = "Tensor.copyTo";
    Checks.notNull(operation, "destination", destination);
    long address = address(operation, tensor, stream);
    checkLength(operation, tensor, length(destination));
    copyTo(tensor, stream, address, destination);
    Checks.reachable(tensor, stream, destination, null);
  }

  static void fromPinned(Tensor tensor, Stream stream, PinnedMemory source) {
    String operation = "Tensor.copyFromAsync";
    Checks.notNull(operation, "source", source);
    long handle = Checks.stream(operation, stream);
    long address = Checks.tensor(operation, "the tensor", tensor, stream, tensor.dtype());
    if (source.device() != tensor.device() || source.bytes() != tensor.bytes()) {
      throw new IllegalArgumentException(operation + ": " + source + " do not fit " + tensor);
    }
    Status.check(
        Fusewire.fw_copy_from_host_async(handle, address, source.address(), tensor.bytes()));
    Checks.reachable(tensor, stream, source, null);
  }

  void copyFrom(Tensor tensor, Stream stream, long address, A source) {
    HostChunk chunk = HostChunk.local();
    int length = length(source);
    int width = width(tensor);
    int step = HostChunk.BYTES / width;
    for (int start = 0; start < length; start += step) {
      int count = Math.min(step, length - start);
      put(chunk, tensor.dtype(), source, start, count);
      chunk.send(stream, address + (long) start * width, count * width);
    }
  }

  void copyTo(Tensor tensor, Stream stream, long address, A destination) {
    HostChunk chunk = HostChunk.local();
    int length = length(destination);
    int width = width(tensor);
    int step = HostChunk.BYTES / width;
    for (int start = 0; start < length; start += step) {
      int count = Math.min(step, length - start);
      chunk.receive(stream, address + (long) start * width, count * width);
      get(chunk, tensor.dtype(), destination, start, count);
    }
  }

  private void checkLength(String operation, Tensor tensor, long given) {
    long fits = tensor.bytes() / width(tensor);
    if (given != fits) {
      throw new IllegalArgumentException(
          operation + ": " + given + " " + unit + " given, " + fits + " fit " + tensor);
    }
  }

  /** Address of a tensor that this kind of array fits, but for its length. */
  abstract long address(String operation, Tensor tensor, Stream stream);

  /** Bytes of the tensor per unit of the array. */
  int width(Tensor tensor) {
    return tensor.dtype().bytes();
  }

  abstract int length(A array);

  /** Writes {@code count} units of the array to the beginning of the chunk. */
  abstract void put(HostChunk chunk, DType dtype, A source, int start, int count);

  /** Reads {@code count} units from the beginning of the chunk. */
  abstract void get(HostChunk chunk, DType dtype, A destination, int start, int count);

  private static final class Floats extends HostCopy<float[]> {
    Floats() {
      super("floats");
    }

    @Override
    long address(String operation, Tensor tensor, Stream stream) {
      Checks.stream(operation, stream);
      if (!tensor.dtype().isFloating()) {
        throw new IllegalArgumentException(
            operation + ": a float[] fits an F32, BF16 or F16 tensor, not " + tensor);
      }
      return Checks.tensor(operation, "the tensor", tensor, stream, tensor.dtype());
    }

    @Override
    int length(float[] array) {
      return array.length;
    }

    @Override
    void put(HostChunk chunk, DType dtype, float[] source, int start, int count) {
      if (dtype == DType.F32) {
        chunk.floats.put(0, source, start, count);
        return;
      }
      for (int i = 0; i < count; i++) {
        chunk.shorts.put(i, Float16.round(dtype, source[start + i]));
      }
    }

    @Override
    void get(HostChunk chunk, DType dtype, float[] destination, int start, int count) {
      if (dtype == DType.F32) {
        chunk.floats.get(0, destination, start, count);
        return;
      }
      for (int i = 0; i < count; i++) {
        destination[start + i] = Float16.widen(dtype, chunk.shorts.get(i));
      }
    }
  }

  private static final class Ints extends HostCopy<int[]> {
    Ints() {
      super("ints");
    }

    @Override
    long address(String operation, Tensor tensor, Stream stream) {
      Checks.stream(operation, stream);
      return Checks.tensor(operation, "the tensor", tensor, stream, DType.I32);
    }

    @Override
    int length(int[] array) {
      return array.length;
    }

    @Override
    void put(HostChunk chunk, DType dtype, int[] source, int start, int count) {
      chunk.ints.put(0, source, start, count);
    }

    @Override
    void get(HostChunk chunk, DType dtype, int[] destination, int start, int count) {
      chunk.ints.get(0, destination, start, count);
    }
  }

  private static final class Bytes extends HostCopy<byte[]> {
    Bytes() {
      super("bytes");
    }

    @Override
    long address(String operation, Tensor tensor, Stream stream) {
      Checks.stream(operation, stream);
      if (tensor.dtype() != DType.U8) {
        throw new IllegalArgumentException(
            operation
                + ": a byte[] fits a U8 tensor, not "
                + tensor
                + "; wrap raw bytes in a ByteBuffer");
      }
      return Checks.tensor(operation, "the tensor", tensor, stream, DType.U8);
    }

    @Override
    int length(byte[] array) {
      return array.length;
    }

    @Override
    void put(HostChunk chunk, DType dtype, byte[] source, int start, int count) {
      chunk.bytes.put(0, source, start, count);
    }

    @Override
    void get(HostChunk chunk, DType dtype, byte[] destination, int start, int count) {
      chunk.bytes.get(0, destination, start, count);
    }
  }

  /** Bytes as they are, for a tensor of any type; a direct buffer needs no chunk. */
  private static final class Raw extends HostCopy<ByteBuffer> {
    Raw() {
      super("bytes");
    }

    @Override
    long address(String operation, Tensor tensor, Stream stream) {
      Checks.stream(operation, stream);
      return Checks.tensor(operation, "the tensor", tensor, stream, tensor.dtype());
    }

    @Override
    int width(Tensor tensor) {
      return 1;
    }

    @Override
    int length(ByteBuffer buffer) {
      return buffer.remaining();
    }

    @Override
    void copyFrom(Tensor tensor, Stream stream, long address, ByteBuffer source) {
      if (!source.isDirect()) {
        super.copyFrom(tensor, stream, address, source);
        return;
      }
      long host = new BytePointer(source.slice()).address();
      Status.check(Fusewire.fw_copy_from_host(stream.handle(), address, host, tensor.bytes()));
    }

    @Override
    void copyTo(Tensor tensor, Stream stream, long address, ByteBuffer destination) {
      if (destination.isReadOnly()) {
        throw new IllegalArgumentException("Tensor.copyTo: the destination is read-only");
      }
      if (!destination.isDirect()) {
        super.copyTo(tensor, stream, address, destination);
        return;
      }
      long host = new BytePointer(destination.slice()).address();
      Status.check(Fusewire.fw_copy_to_host(stream.handle(), host, address, tensor.bytes()));
    }

    @Override
    void put(HostChunk chunk, DType dtype, ByteBuffer source, int start, int count) {
      chunk.bytes.put(0, source, source.position() + start, count);
    }

    @Override
    void get(HostChunk chunk, DType dtype, ByteBuffer destination, int start, int count) {
      destination.put(destination.position() + start, chunk.bytes, 0, count);
    }
  }
}
