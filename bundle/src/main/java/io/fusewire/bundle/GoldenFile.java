// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.io.SafeTensors;
import io.fusewire.io.SafeTensorsWriter;
import io.fusewire.ops.Device;
import java.io.IOException;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Results of cases in a safetensors file: for each case one F32 tensor with the sketches of its
 * results one after the other, one I64 tensor with the number of values and the checksum of each,
 * and their names in the metadata.
 */
final class GoldenFile {
  private static final String LEVEL = "level";
  private static final String LIBRARY = "library";
  private static final String NUMBERS = " numbers";

  private final String level;
  private final String library;
  private final Map<String, Map<String, Sketch>> cases;

  private GoldenFile(String level, String library, Map<String, Map<String, Sketch>> cases) {
    this.level = level;
    this.library = library;
    this.cases = cases;
  }

  /** Sketches of results, in their order. */
  static Map<String, Sketch> sketches(Map<String, float[]> results) {
    Map<String, Sketch> sketches = new LinkedHashMap<>();
    results.forEach((name, values) -> sketches.put(name, Sketch.of(values)));
    return sketches;
  }

  /** Writes what a device computed. */
  static void write(Path file, Device device, Map<String, Map<String, Sketch>> cases)
      throws IOException {
    SafeTensorsWriter writer = new SafeTensorsWriter();
    writer.metadata(LEVEL, device.level());
    writer.metadata(LIBRARY, Device.libraryChecksum());
    for (Map.Entry<String, Map<String, Sketch>> entry : cases.entrySet()) {
      Map<String, Sketch> results = entry.getValue();
      writer.metadata(entry.getKey(), String.join(" ", results.keySet()));
      int sums = results.values().stream().mapToInt(s -> s.sums().length).sum();
      float[] all = new float[sums];
      long[] numbers = new long[2 * results.size()];
      int at = 0;
      int number = 0;
      for (Sketch sketch : results.values()) {
        System.arraycopy(sketch.sums(), 0, all, at, sketch.sums().length);
        at += sketch.sums().length;
        numbers[number++] = sketch.count();
        numbers[number++] = sketch.checksum();
      }
      writer.add(entry.getKey(), List.of(all.length), all);
      writer.add(entry.getKey() + NUMBERS, List.of(results.size(), 2), numbers);
    }
    writer.write(file);
  }

  /** Reads what {@link #write} wrote. */
  static GoldenFile read(Path file) throws IOException {
    try (SafeTensors tensors = SafeTensors.open(file)) {
      Map<String, Map<String, Sketch>> cases = new LinkedHashMap<>();
      for (String name : tensors.entries().keySet()) {
        if (!name.endsWith(NUMBERS)) {
          cases.put(name, results(file, tensors, name));
        }
      }
      Map<String, String> metadata = tensors.metadata();
      return new GoldenFile(
          metadata.getOrDefault(LEVEL, ""), metadata.getOrDefault(LIBRARY, ""), cases);
    }
  }

  private static Map<String, Sketch> results(Path file, SafeTensors tensors, String name)
      throws IOException {
    String[] names = tensors.metadata().getOrDefault(name, "").split(" ", -1);
    float[] sums = tensors.readFloats(name);
    if (!tensors.entries().containsKey(name + NUMBERS)) {
      throw new IOException(file + " lacks the numbers of '" + name + "'");
    }
    LongBuffer numbers = tensors.map(name + NUMBERS).asLongBuffer();
    Map<String, Sketch> results = new LinkedHashMap<>();
    int at = 0;
    for (int i = 0; i < names.length; i++) {
      if (numbers.limit() != 2 * names.length || numbers.get(2 * i) < 0) {
        throw new IOException(file + " has wrong numbers for '" + name + "'");
      }
      long count = numbers.get(2 * i);
      int size = Sketch.size(count);
      if (at + size > sums.length) {
        throw new IOException(file + " has too few values for '" + name + "'");
      }
      float[] part = Arrays.copyOfRange(sums, at, at + size);
      results.put(names[i], new Sketch(count, numbers.get(2 * i + 1), part));
      at += size;
    }
    return results;
  }

  /** Sketches of a case's results; null if the file does not have the case. */
  Map<String, Sketch> results(String name) {
    return cases.get(name);
  }

  /** Number of cases. */
  int size() {
    return cases.size();
  }

  /** Whether a device computes with the same machine code that made this file: the same bits. */
  boolean sameCode(Device device) {
    return device.kind() == Device.Kind.CPU
        && device.level().equals(level)
        && !library.isEmpty()
        && library.equals(Device.libraryChecksum());
  }

  /** Instruction set of the device that made this file. */
  String level() {
    return level;
  }
}
