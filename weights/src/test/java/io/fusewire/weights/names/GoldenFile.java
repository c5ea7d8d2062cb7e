// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.io.ElementType;
import io.fusewire.io.FileFormatException;
import io.fusewire.io.TensorFile;
import io.fusewire.io.TensorInfo;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.zip.CRC32;
import java.util.zip.GZIPInputStream;

/**
 * A file of weights that is not there: names and shapes are those that {@code golden.py} listed,
 * values are made by its formula.
 */
final class GoldenFile implements TensorFile {
  private final Path file;
  private final Map<String, String> metadata = new LinkedHashMap<>();
  private final Map<String, TensorInfo> tensors = new LinkedHashMap<>();
  private final Map<String, String> torchKeys = new LinkedHashMap<>();

  private GoldenFile(Path file) {
    this.file = file;
  }

  /** A file of a name that says nothing. */
  static GoldenFile of(String golden) {
    return of(golden, Path.of("weights.bin"));
  }

  /** A file without tensors, to be filled. */
  static GoldenFile empty() {
    return new GoldenFile(Path.of("weights.bin"));
  }

  static GoldenFile of(String golden, Path file) {
    GoldenFile result = new GoldenFile(file);
    try (InputStream raw = GoldenFile.class.getResourceAsStream(golden + ".txt.gz");
        BufferedReader lines =
            new BufferedReader(
                new InputStreamReader(new GZIPInputStream(raw), StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String[] parts = line.split(" ", -1);
        List<Long> shape = new ArrayList<>();
        for (String extent : parts[1].split(",", -1)) {
          if (!extent.isEmpty()) {
            shape.add(Long.parseLong(extent));
          }
        }
        result.add(parts[0], shape, parts[2]);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return result;
  }

  GoldenFile add(String name, List<Long> shape, String torchKey) {
    ElementType type = name.endsWith("tracked") ? ElementType.I64 : ElementType.F32;
    tensors.put(name, new TensorInfo(name, type, shape));
    torchKeys.put(name, torchKey);
    return this;
  }

  GoldenFile without(String name) {
    tensors.remove(name);
    return this;
  }

  /** Another value for a tensor, that of another key. */
  GoldenFile from(String name, String torchKey) {
    torchKeys.put(name, torchKey);
    return this;
  }

  GoldenFile withMetadata(String key, String value) {
    metadata.put(key, value);
    return this;
  }

  /** The same tensors under other names. */
  GoldenFile renamed(UnaryOperator<String> names) {
    GoldenFile result = new GoldenFile(file);
    tensors.forEach(
        (name, info) -> result.add(names.apply(name), info.shape(), torchKeys.get(name)));
    return result;
  }

  /** What a tensor's values are made of. */
  String torchKey(String name) {
    return torchKeys.get(name);
  }

  @Override
  public Path file() {
    return file;
  }

  @Override
  public String format() {
    return "golden";
  }

  @Override
  public Map<String, String> metadata() {
    return metadata;
  }

  @Override
  public Map<String, TensorInfo> tensors() {
    return tensors;
  }

  @Override
  public float[] readFloats(String name) throws IOException {
    TensorInfo info = tensors.get(name);
    if (info == null) {
      throw new FileFormatException(file, "has no tensor '" + name + "'");
    }
    String key = torchKeys.get(name);
    if (key.equals("mean")) {
      return new float[] {0.485f, 0.456f, 0.406f};
    }
    if (key.equals("variance")) {
      return new float[] {0.229f, 0.224f, 0.225f};
    }
    int[] shape = info.shape().stream().mapToInt(Math::toIntExact).toArray();
    if (name.contains("depthwise_kernel")) {
      return rowsCopied(key, shape, new int[] {2, 3, 0, 1});
    }
    if (name.contains("/kernel")) {
      return shape.length == 2
          ? rowsCopied(key, shape, new int[] {1, 0})
          : rowsCopied(key, shape, new int[] {3, 2, 0, 1});
    }
    return value(key, shape);
  }

  /** The values of a PyTorch tensor, whose axis i is axis order[i] here, in the order of here. */
  private static float[] rowsCopied(String key, int[] here, int[] order) {
    int[] torch = new int[order.length];
    for (int i = 0; i < order.length; i++) {
      torch[i] = here[order[i]];
    }
    float[] values = value(key, torch);
    float[] result = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      int rest = i;
      int[] index = new int[order.length];
      for (int axis = order.length - 1; axis >= 0; axis--) {
        index[order[axis]] = rest % torch[axis];
        rest /= torch[axis];
      }
      int at = 0;
      for (int axis = 0; axis < here.length; axis++) {
        at = at * here[axis] + index[axis];
      }
      result[at] = values[i];
    }
    return result;
  }

  /** The formula of {@code golden.py}: a PyTorch tensor's values by its key and shape. */
  static float[] value(String key, int... shape) {
    int count = 1;
    for (int extent : shape) {
      count *= extent;
    }
    double[] u = uniform(key, count);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      double v = 2 * u[i] - 1;
      if (shape.length == 4) {
        v *= Math.sqrt(3.0 / ((double) shape[1] * shape[2] * shape[3]));
      } else if (shape.length == 2) {
        v *= Math.sqrt(3.0 / shape[1]);
      } else if (key.endsWith("running_var")) {
        v = 0.5 + u[i];
      } else if (key.endsWith(".weight")) {
        v = 0.75 + 0.5 * u[i];
      } else {
        v = 0.2 * v;
      }
      values[i] = (float) v;
    }
    return values;
  }

  /** Numbers from 0 to 1: murmur's finaliser over a Weyl sequence. */
  static double[] uniform(String seed, int count) {
    CRC32 crc = new CRC32();
    crc.update(seed.getBytes(StandardCharsets.UTF_8));
    int start = (int) crc.getValue();
    double[] result = new double[count];
    for (int i = 0; i < count; i++) {
      int x = i * 0x9E3779B9 + start;
      x ^= x >>> 16;
      x *= 0x85EBCA6B;
      x ^= x >>> 13;
      x *= 0xC2B2AE35;
      x ^= x >>> 16;
      result[i] = (x & 0xFFFFFFFFL) / 4294967296.0;
    }
    return result;
  }

  @Override
  public void close() {}
}
