// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.provider.Arguments;

/**
 * A device under test with a stream. Tensors it makes lie between guard bands that are examined on
 * {@link #close}; outputs and workspaces start as NaN, so that an element never written, or read
 * too early, shows.
 */
final class Lab implements AutoCloseable {
  private static final int GUARD = 256;
  private static final int PATTERN = 0xa5;

  final Device device;
  final Stream stream;

  /** Bytes by which tensors miss 16-byte alignment, rounded down to their element size. */
  int misalign;

  private final List<Tensor> memory = new ArrayList<>();
  private final List<Tensor> guards = new ArrayList<>();

  Lab(Device device) {
    this.device = device;
    this.stream = Stream.open(device);
  }

  /** Devices of parameterised tests: all there are. */
  static List<Device> devices() {
    return Device.all();
  }

  /** Every device with every storage type. */
  static List<Arguments> devicesAndTypes() {
    List<Arguments> all = new ArrayList<>();
    for (Device device : Device.all()) {
      for (DType dtype : floating()) {
        all.add(Arguments.of(device, dtype));
      }
    }
    return all;
  }

  static List<DType> floating() {
    return List.of(DType.F32, DType.BF16, DType.F16);
  }

  /** A tensor with content. */
  Tensor in(DType dtype, double[] values, long... shape) {
    Tensor tensor = out(dtype, shape);
    tensor.copyFrom(stream, Numbers.floats(values));
    return tensor;
  }

  Tensor in(int[] values, long... shape) {
    return out(DType.I32, shape).copyFrom(stream, values);
  }

  Tensor in(byte[] values, long... shape) {
    return out(DType.U8, shape).copyFrom(stream, values);
  }

  /** A tensor of NaN, to be written. */
  Tensor out(DType dtype, long... shape) {
    long bytes = Shape.of("Lab", dtype, shape).elements() * dtype.bytes();
    int shift = misalign / dtype.bytes() * dtype.bytes();
    Tensor all = Tensor.allocate(device, DType.U8, bytes + 2 * GUARD + 16);
    all.fill(stream, PATTERN);
    memory.add(all);
    guards.add(all.slice(0, DType.U8, GUARD + shift));
    guards.add(all.slice(GUARD + shift + bytes, DType.U8, GUARD + 16 - shift));
    Tensor inner = all.slice(GUARD + shift, dtype, shape);
    return inner.fill(stream, 0xff);
  }

  /** A workspace of so many bytes, full of NaN, always aligned; null for none. */
  Tensor workspace(long bytes) {
    int kept = misalign;
    misalign = 0;
    Tensor workspace = bytes == 0 ? null : out(DType.U8, bytes);
    misalign = kept;
    return workspace;
  }

  double[] read(Tensor tensor) {
    return Numbers.doubles(tensor.toFloats(stream));
  }

  @Override
  public void close() {
    try {
      stream.synchronize();
      for (Tensor guard : guards) {
        byte[] bytes = new byte[(int) guard.bytes()];
        guard.copyTo(stream, bytes);
        for (int i = 0; i < bytes.length; i++) {
          assertEquals(
              (byte) PATTERN, bytes[i], "guard band written at byte " + i + " of " + guard);
        }
      }
    } finally {
      memory.forEach(Tensor::close);
      stream.close();
    }
  }
}
