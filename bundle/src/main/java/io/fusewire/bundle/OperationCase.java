// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.ops.DType;
import io.fusewire.ops.StepState;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.ToLongFunction;
import java.util.zip.CRC32;

/**
 * One call of one operation. Its tensors are written as words such as {@code src@NHWC} (of the
 * storage type), {@code bias:C} (F32), {@code labels#N} (I32, classes) or {@code images%NHWD} (U8);
 * extents are {@link Dimensions}' letters. All of them, results too, start with numbers that their
 * names decide; a result is what the call changes.
 */
final class OperationCase implements GoldenCase {
  /** The call, with the tensors in the order of their words and then the workspace. */
  interface Call {
    void run(Stream stream, StepState step, Tensor[] tensors, Tensor workspace);
  }

  private static final long SEED = 20261123;

  private final String method;
  private final Dimensions dimensions;
  private final DType dtype;
  private final String[] words;
  private final ToLongFunction<Stream> workspaceBytes;
  private final Call call;

  OperationCase(
      String method,
      Dimensions dimensions,
      DType dtype,
      String tensors,
      ToLongFunction<Stream> workspaceBytes,
      Call call) {
    this.method = method;
    this.dimensions = dimensions;
    this.dtype = dtype;
    this.words = tensors.split(" ", -1);
    this.workspaceBytes = workspaceBytes;
    this.call = call;
  }

  /** The operation and its method, such as {@code DepthwiseConv.forward}. */
  String method() {
    return method;
  }

  @Override
  public String name() {
    return "%s/%s/%s".formatted(dimensions.name(), dtype.name().toLowerCase(Locale.ROOT), method);
  }

  @Override
  public boolean tiny() {
    return dimensions.equals(Dimensions.TINY);
  }

  @Override
  public Closeness closeness() {
    return method.startsWith("Philox") ? Closeness.exact() : Closeness.operation(dtype);
  }

  @Override
  public Map<String, float[]> run(Stream stream) {
    Tensor[] tensors = new Tensor[words.length];
    Tensor workspace = null;
    try (StepState step =
        new StepState(stream).set(stream, SEED, 5, 0.1f, 0.9f, 0.9f, 0.1f, 0.1f)) {
      float[][] before = new float[words.length][];
      for (int i = 0; i < words.length; i++) {
        tensors[i] = start(stream, words[i]);
        before[i] = read(stream, tensors[i]);
      }
      long bytes = workspaceBytes.applyAsLong(stream);
      workspace = bytes == 0 ? null : Tensor.allocate(stream.device(), DType.U8, bytes);
      if (workspace != null) {
        workspace.fill(stream, 0xff); // NaN
      }
      call.run(stream, step, tensors, workspace);
      Map<String, float[]> results = new LinkedHashMap<>();
      for (int i = 0; i < words.length; i++) {
        float[] after = read(stream, tensors[i]);
        if (!sameBits(before[i], after)) {
          results.put(name(words[i]), after);
        }
      }
      return results;
    } finally {
      for (Tensor tensor : tensors) {
        if (tensor != null) {
          tensor.close();
        }
      }
      if (workspace != null) {
        workspace.close();
      }
    }
  }

  private static boolean sameBits(float[] a, float[] b) {
    for (int i = 0; i < a.length; i++) {
      if (Float.floatToRawIntBits(a[i]) != Float.floatToRawIntBits(b[i])) {
        return false;
      }
    }
    return true;
  }

  private static int kindAt(String word) {
    int at = 0;
    while ("@:#%".indexOf(word.charAt(at)) < 0) {
      at++;
    }
    return at;
  }

  private static String name(String word) {
    return word.substring(0, kindAt(word));
  }

  /** A tensor with the numbers that it starts with. */
  private Tensor start(Stream stream, String word) {
    int at = kindAt(word);
    String name = word.substring(0, at);
    long[] shape = dimensions.shape(word.substring(at + 1));
    DType type =
        switch (word.charAt(at)) {
          case '@' -> dtype;
          case '#' -> DType.I32;
          case '%' -> DType.U8;
          default -> DType.F32;
        };
    Tensor tensor = Tensor.allocate(stream.device(), type, shape);
    CRC32 crc = new CRC32();
    crc.update((name() + ' ' + name).getBytes(StandardCharsets.UTF_8));
    SplittableRandom random = new SplittableRandom(crc.getValue());
    int count = Math.toIntExact(tensor.elements());
    switch (type) {
      case I32 -> {
        int[] values = new int[count];
        for (int i = 0; i < count; i++) {
          values[i] = random.nextInt((int) dimensions.classes());
        }
        tensor.copyFrom(stream, values);
      }
      case U8 -> {
        byte[] values = new byte[count];
        random.nextBytes(values);
        tensor.copyFrom(stream, values);
      }
      default -> {
        float[] values = new float[count];
        float lowest = lowest(name);
        float range = name.toLowerCase(Locale.ROOT).contains("weights") ? 0.5f : 1f;
        for (int i = 0; i < count; i++) {
          // 24 bits: exact in a float, with any arithmetic.
          float unit = (random.nextInt() >>> 8) * 0x1p-24f;
          values[i] = lowest >= 0 ? lowest + unit : range * (2 * unit - 1);
        }
        tensor.copyFrom(stream, values);
      }
    }
    return tensor;
  }

  /** Variances, scales and the like are positive: from this number to one more. Else negative. */
  private static float lowest(String name) {
    String lower = name.toLowerCase(Locale.ROOT);
    if (lower.endsWith("norm")
        || lower.endsWith("var")
        || lower.endsWith("invstd")
        || lower.endsWith("scale")
        || lower.equals("gamma")
        || lower.equals("square")) {
      return 0.5f;
    }
    return lower.equals("gate") ? 0 : -1;
  }

  private static float[] read(Stream stream, Tensor tensor) {
    return switch (tensor.dtype()) {
      case I32 -> {
        int[] values = tensor.toInts(stream);
        float[] floats = new float[values.length];
        for (int i = 0; i < values.length; i++) {
          floats[i] = values[i];
        }
        yield floats;
      }
      case U8 -> {
        byte[] values = new byte[Math.toIntExact(tensor.bytes())];
        tensor.copyTo(stream, values);
        float[] floats = new float[values.length];
        for (int i = 0; i < values.length; i++) {
          floats[i] = values[i] & 0xff;
        }
        yield floats;
      }
      default -> tensor.toFloats(stream);
    };
  }
}
