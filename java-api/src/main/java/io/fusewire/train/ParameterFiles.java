// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.io.FileFormatException;
import io.fusewire.io.SafeTensors;
import io.fusewire.io.SafeTensorsWriter;
import io.fusewire.model.Parameter;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Moves parameters between a network's flat buffer and the named, PyTorch-shaped tensors of a file.
 */
final class ParameterFiles {
  private static final int NAMED_DIFFERENCES = 5;

  private ParameterFiles() {}

  /** Adds a buffer's parameters to a file, each as prefix + its name. */
  static void add(
      SafeTensorsWriter writer, String prefix, List<Parameter> parameters, float[] values) {
    for (Parameter parameter : parameters) {
      int from = Math.toIntExact(parameter.offset());
      float[] part = Arrays.copyOfRange(values, from, from + Math.toIntExact(parameter.count()));
      writer.add(prefix + parameter.name(), parameter.shape(), parameter.toFileLayout(part));
    }
  }

  /** Reads parameters into a new buffer, or says which are missing or of another shape. */
  static float[] read(SafeTensors file, String prefix, List<Parameter> parameters)
      throws IOException {
    List<String> differences = new ArrayList<>();
    long elements = 0;
    for (Parameter parameter : parameters) {
      SafeTensors.Entry entry = file.entries().get(prefix + parameter.name());
      List<Long> shape = parameter.shape().stream().map(Integer::longValue).toList();
      if (entry == null) {
        differences.add("'%s%s' is missing".formatted(prefix, parameter.name()));
      } else if (!entry.shape().equals(shape)) {
        differences.add(
            "'%s%s' has shape %s, where %s is needed"
                .formatted(prefix, parameter.name(), entry.shape(), shape));
      }
      elements = Math.max(elements, parameter.offset() + parameter.count());
    }
    if (!differences.isEmpty()) {
      int more = differences.size() - NAMED_DIFFERENCES;
      throw new FileFormatException(
          file.file(),
          String.join("; ", differences.subList(0, Math.min(NAMED_DIFFERENCES, differences.size())))
              + (more > 0 ? "; and " + more + " more" : ""));
    }
    // Buffers end on a 64-byte boundary, as the network's own do.
    float[] values = new float[Math.toIntExact((elements + 15) / 16 * 16)];
    for (Parameter parameter : parameters) {
      float[] part = parameter.toKernelLayout(file.readFloats(prefix + parameter.name()));
      System.arraycopy(part, 0, values, Math.toIntExact(parameter.offset()), part.length);
    }
    return values;
  }
}
