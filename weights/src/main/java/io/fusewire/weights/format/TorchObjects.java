// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.ElementType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import net.razorvine.pickle.IObjectConstructor;
import net.razorvine.pickle.PickleException;

/**
 * What the names in PyTorch's pickles stand for. Nothing is looked up anywhere: a name is one of
 * these or it is refused.
 */
final class TorchObjects {
  /** An object of which nothing is kept. */
  static final Object INERT =
      new Object() {
        @Override
        public String toString() {
          return "(object)";
        }
      };

  private static final Map<String, StorageClass> STORAGES =
      Stream.of(
              new StorageClass("DoubleStorage", ElementType.F64, 8),
              new StorageClass("FloatStorage", ElementType.F32, 4),
              new StorageClass("HalfStorage", ElementType.F16, 2),
              new StorageClass("BFloat16Storage", ElementType.BF16, 2),
              new StorageClass("LongStorage", ElementType.I64, 8),
              new StorageClass("IntStorage", ElementType.I32, 4),
              new StorageClass("ShortStorage", ElementType.I16, 2),
              new StorageClass("CharStorage", ElementType.I8, 1),
              new StorageClass("ByteStorage", ElementType.U8, 1),
              new StorageClass("BoolStorage", ElementType.BOOL, 1),
              new StorageClass("ComplexFloatStorage", null, 8),
              new StorageClass("ComplexDoubleStorage", null, 16),
              new StorageClass("QInt8Storage", null, 1),
              new StorageClass("QUInt8Storage", null, 1),
              new StorageClass("QInt32Storage", null, 4))
          .collect(Collectors.toUnmodifiableMap(StorageClass::name, c -> c));

  /** What stands beside weights in checkpoints. Calls of these give {@link #INERT}. */
  private static final Set<String> IGNORED =
      Set.of(
          "__builtin__.object",
          "__builtin__.set",
          "_codecs.encode",
          "argparse.Namespace",
          "builtins.object",
          "builtins.set",
          "copy_reg._reconstructor",
          "copyreg._reconstructor",
          "datetime.datetime",
          "datetime.timedelta",
          "numpy._core.multiarray._reconstruct",
          "numpy._core.multiarray.scalar",
          "numpy.core.multiarray._reconstruct",
          "numpy.core.multiarray.scalar",
          "numpy.dtype",
          "numpy.ndarray",
          "pathlib.Path",
          "pathlib.PosixPath",
          "pathlib.WindowsPath",
          "torch.device",
          "torch.Tensor",
          "torch.nn.parameter.Buffer",
          "torch.nn.parameter.Parameter");

  private static final Set<String> TYPES =
      Set.of(
          "bfloat16",
          "bool",
          "complex64",
          "complex128",
          "float16",
          "float32",
          "float64",
          "int8",
          "int16",
          "int32",
          "int64",
          "uint8");

  private TorchObjects() {}

  /**
   * The class of a storage.
   *
   * @param type of its elements; null if they are of no type that can be read
   * @param bytes of one element
   */
  record StorageClass(String name, ElementType type, int bytes) {}

  /**
   * A storage: a run of elements elsewhere in the file.
   *
   * @param begin where the part that this is a view of begins, in elements
   * @param count elements of the whole storage
   */
  record Storage(StorageClass type, String key, long begin, long count) {}

  /**
   * A tensor in a storage; offset and strides in elements.
   *
   * @param shape extents
   */
  record Tensor(Storage storage, long offset, List<Long> shape, List<Long> strides) {}

  /** What a name stands for; null for those that are not allowed. */
  static Object named(String module, String name) {
    if (module.equals("torch") && STORAGES.containsKey(name)) {
      return STORAGES.get(name);
    }
    if (module.equals("torch") && TYPES.contains(name)) {
      return INERT;
    }
    return switch (module + "." + name) {
      case "collections.OrderedDict" -> (IObjectConstructor) TorchObjects::dictionary;
      case "collections.defaultdict" ->
          (IObjectConstructor) arguments -> new LinkedHashMap<Object, Object>();
      case "torch.Size" -> (IObjectConstructor) arguments -> sequence(arguments[0]).toArray();
      case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2" ->
          (IObjectConstructor) TorchObjects::tensor;
      case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state" ->
          (IObjectConstructor) arguments -> (Tensor) arguments[0];
      case "torch._tensor._rebuild_from_type_v2", "torch._tensor._rebuild_from_type" ->
          (IObjectConstructor) TorchObjects::typed;
      default ->
          IGNORED.contains(module + "." + name) ? (IObjectConstructor) arguments -> INERT : null;
    };
  }

  /** The storage of a persistent identity. */
  static Storage storage(Object identity) {
    Object[] parts = (Object[]) identity;
    if (parts.length < 5 || !"storage".equals(parts[0])) {
      throw new PickleException("a persistent identity is no storage");
    }
    long begin = 0;
    if (parts.length > 5 && parts[5] != null) {
      begin = integer(((Object[]) parts[5])[1]);
    }
    return new Storage((StorageClass) parts[1], key(parts[2]), begin, integer(parts[4]));
  }

  private static String key(Object value) {
    if (value instanceof String || value instanceof Long || value instanceof Integer) {
      return value.toString();
    }
    throw new PickleException("a storage's key is no text");
  }

  private static Object dictionary(Object[] arguments) {
    Map<Object, Object> result = new LinkedHashMap<>();
    if (arguments.length > 0) {
      for (Object pair : sequence(arguments[0])) {
        List<?> entry = sequence(pair);
        result.put(WeightUnpickler.key(entry.get(0)), entry.get(1));
      }
    }
    return result;
  }

  private static Object tensor(Object[] arguments) {
    return new Tensor(
        (Storage) arguments[0],
        integer(arguments[1]),
        integers(arguments[2]),
        integers(arguments[3]));
  }

  /** Arguments: what rebuilds it, its class, the arguments, its state. */
  private static Object typed(Object[] arguments) {
    return ((IObjectConstructor) arguments[0]).construct((Object[]) arguments[2]);
  }

  private static List<?> sequence(Object value) {
    return value instanceof Object[] array ? Arrays.asList(array) : (List<?>) value;
  }

  private static List<Long> integers(Object value) {
    List<?> sequence = sequence(value);
    if (sequence.size() > 64) {
      throw new PickleException("a shape of " + sequence.size() + " dimensions");
    }
    List<Long> result = new ArrayList<>();
    for (Object number : sequence) {
      result.add(integer(number));
    }
    return result;
  }

  private static long integer(Object value) {
    if (value instanceof Integer || value instanceof Long) {
      return ((Number) value).longValue();
    }
    throw new PickleException("something else where a whole number is due");
  }
}
