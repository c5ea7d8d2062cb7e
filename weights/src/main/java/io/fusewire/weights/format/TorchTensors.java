// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.ElementType;
import io.fusewire.io.FileFormatException;
import io.fusewire.io.TensorInfo;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Checks PyTorch's tensors against the storages that a file has, and reads them. */
final class TorchTensors {
  private TorchTensors() {}

  /** Opens a storage's bytes from its beginning. */
  @FunctionalInterface
  interface Opener {
    InputStream open() throws IOException;
  }

  /**
   * A storage in the file.
   *
   * @param count its elements
   * @param order their byte order
   * @param opener of its bytes
   */
  record Stored(long count, ByteOrder order, Opener opener) {}

  /** Adds a dictionary's tensors; storages by key. */
  static void add(TensorTable table, StateDict weights, Map<String, Stored> storages)
      throws IOException {
    Path file = table.file();
    for (Map.Entry<String, TorchObjects.Tensor> entry : weights.tensors().entrySet()) {
      String name = entry.getKey();
      TorchObjects.Tensor tensor = entry.getValue();
      String quoted = "tensor '" + Elements.shorten(name) + "'";
      TorchObjects.Storage storage = tensor.storage();
      ElementType type = storage.type().type();
      if (type == null) {
        throw new FileFormatException(
            file, quoted + " has a " + storage.type().name() + ", which is no real number's");
      }
      Stored stored = storages.get(storage.key());
      if (stored == null) {
        throw new FileFormatException(
            file,
            "%s lies in storage '%s', which the file does not have"
                .formatted(quoted, Elements.shorten(storage.key())));
      }
      if (storage.count() != stored.count()) {
        throw new FileFormatException(
            file,
            "%s needs a storage of %d elements, the file's has %d"
                .formatted(quoted, storage.count(), stored.count()));
      }
      TensorInfo info = new TensorInfo(name, type, tensor.shape());
      long begin = begin(file, quoted, tensor, stored);
      table.add(info, () -> read(file, info, tensor.strides(), begin, stored));
    }
    weights.metadata().forEach(table::say);
  }

  /** The first element's place in the storage, after all of the tensor was found inside it. */
  private static long begin(Path file, String quoted, TorchObjects.Tensor tensor, Stored stored)
      throws IOException {
    List<Long> shape = tensor.shape();
    List<Long> strides = tensor.strides();
    long count = Elements.count(file, quoted, shape);
    if (strides.size() != shape.size()) {
      throw new FileFormatException(
          file, "%s of shape %s has the strides %s".formatted(quoted, shape, strides));
    }
    if (count > stored.count()) {
      throw new FileFormatException(
          file,
          ("%s of shape %s needs %d elements, its storage has %d; an expanded tensor has to be"
                  + " saved with .contiguous()")
              .formatted(quoted, shape, count, stored.count()));
    }
    try {
      long begin = Math.addExact(tensor.storage().begin(), tensor.offset());
      long last = begin;
      if (count > 0) {
        for (int d = 0; d < shape.size(); d++) {
          if (strides.get(d) < 0) {
            throw new FileFormatException(file, "%s has the strides %s".formatted(quoted, strides));
          }
          last = Math.addExact(last, Math.multiplyExact(shape.get(d) - 1, strides.get(d)));
        }
      }
      if (begin < 0 || (count > 0 && last >= stored.count())) {
        throw new FileFormatException(
            file,
            "%s of shape %s with strides %s ends at element %d of its storage, which has %d"
                .formatted(quoted, shape, strides, last, stored.count()));
      }
      return begin;
    } catch (ArithmeticException e) {
      throw new FileFormatException(
          file, "%s has the impossible strides %s".formatted(quoted, strides), e);
    }
  }

  private static float[] read(
      Path file, TensorInfo info, List<Long> strides, long begin, Stored stored)
      throws IOException {
    long count = info.count();
    if (count == 0) {
      return new float[0];
    }
    List<Long> shape = info.shape();
    long extent = 1;
    for (int d = 0; d < shape.size(); d++) {
      extent += (shape.get(d) - 1) * strides.get(d);
    }
    try (InputStream stream = stored.opener().open()) {
      Elements.skipFully(file, stream, begin * info.type().bytes());
      float[] values = Elements.floats(file, stream, info.type(), stored.order(), extent);
      return gather(values, shape, strides, (int) count);
    }
  }

  /** Elements in C order from those between the first and the last. */
  private static float[] gather(float[] values, List<Long> shape, List<Long> strides, int count) {
    long expected = 1;
    boolean contiguous = values.length == count;
    for (int d = shape.size() - 1; d >= 0; d--) {
      contiguous &= shape.get(d) == 1 || strides.get(d) == expected;
      expected *= shape.get(d);
    }
    if (contiguous) {
      return values;
    }
    float[] result = new float[count];
    int[] index = new int[shape.size()];
    int from = 0;
    for (int to = 0; to < count; to++) {
      result[to] = values[from];
      for (int d = shape.size() - 1; d >= 0; d--) {
        int stride = (int) (long) strides.get(d);
        if (++index[d] < shape.get(d)) {
          from += stride;
          break;
        }
        from -= stride * (index[d] - 1);
        index[d] = 0;
      }
    }
    return result;
  }
}
