// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.FileFormatException;
import io.fusewire.io.TensorInfo;
import io.jhdf.ObjectHeader;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * Keras's HDF5 files. Those of Keras 1 and 2, and of Keras 3's {@code .h5}, list their layers and
 * each layer's weights in attributes, whose names the tensors get ({@code stem_conv/kernel:0}). In
 * other files, Keras 3's {@code .weights.h5} among them, tensors are named by their path.
 */
final class KerasHdf {
  private static final int MAX_DEPTH = 32;
  private static final int MAX_OBJECTS = 200_000;
  private static final byte[] MAGIC = {(byte) 0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};

  private final TensorTable table;
  private final HdfObjects objects;
  private final UnaryOperator<String> names;
  private final Set<Long> open = new HashSet<>();
  private int visited;

  private KerasHdf(TensorTable table, HdfObjects objects, UnaryOperator<String> names) {
    this.table = table;
    this.objects = objects;
    this.names = names;
  }

  /** Whether a file begins as HDF5 files do. */
  static boolean recognizes(ByteBuffer head) {
    return head.limit() >= MAGIC.length
        && head.slice(0, MAGIC.length).equals(ByteBuffer.wrap(MAGIC));
  }

  static TensorTable open(Path file, FileChannel channel) throws IOException {
    TensorTable table = new TensorTable(file, "Keras HDF5", channel);
    read(table, Region.whole(file, channel), UnaryOperator.identity());
    return table;
  }

  /** Adds what a file, perhaps part of another, has; names of tensors are made of their paths. */
  static void read(TensorTable table, Region region, UnaryOperator<String> names)
      throws IOException {
    HdfObjects objects = new HdfObjects(region);
    KerasHdf reader = new KerasHdf(table, objects, names);
    ObjectHeader root = objects.root();
    for (String version : List.of("keras_version", "backend")) {
      List<String> text = objects.strings(root, version);
      if (text != null && text.size() == 1) {
        table.say(version, text.get(0));
      }
    }
    Map<String, Long> members = objects.members(root);
    ObjectHeader weights =
        members.containsKey("model_weights") ? objects.object(members.get("model_weights")) : root;
    List<String> layers = reader.list(weights, "layer_names");
    if (layers == null) {
      reader.walk(weights, "", 0);
    } else {
      reader.layers(weights, layers);
    }
  }

  /** An attribute of names, which Keras splits into numbered ones where it is too long for HDF5. */
  private List<String> list(ObjectHeader object, String name) throws IOException {
    List<String> whole = objects.strings(object, name);
    if (whole != null) {
      return whole;
    }
    List<String> parts = new ArrayList<>();
    for (int i = 0; ; i++) {
      List<String> part = objects.strings(object, name + i);
      if (part == null) {
        return i == 0 ? null : parts;
      }
      parts.addAll(part);
    }
  }

  private void layers(ObjectHeader weights, List<String> layers) throws IOException {
    Map<String, Long> groups = objects.members(weights);
    for (String layer : layers) {
      ObjectHeader group = objects.object(member(groups, layer));
      List<String> names = list(group, "weight_names");
      if (names == null) {
        throw new FileFormatException(
            table.file(),
            "layer '%s' does not list its weights".formatted(Elements.shorten(layer)));
      }
      for (String name : names) {
        ObjectHeader object = group;
        for (String step : name.split("/", MAX_DEPTH)) {
          object = objects.object(member(objects.members(object), step));
        }
        add(object, name.startsWith(layer + "/") || name.contains("/") ? name : layer + "/" + name);
      }
    }
  }

  private long member(Map<String, Long> members, String name) throws FileFormatException {
    Long address = members.get(name);
    count();
    if (address == null) {
      throw new FileFormatException(
          table.file(), "lists '%s', which it does not have".formatted(Elements.shorten(name)));
    }
    return address;
  }

  /** All datasets below a group but an optimizer's. */
  private void walk(ObjectHeader group, String path, int depth) throws IOException {
    if (depth > MAX_DEPTH || !open.add(group.getAddress())) {
      throw new FileFormatException(
          table.file(), "has groups in groups without an end: " + Elements.shorten(path));
    }
    for (Map.Entry<String, Long> member : objects.members(group).entrySet()) {
      count();
      boolean optimizer = path.isEmpty() && member.getKey().startsWith("optimizer");
      if (!optimizer) {
        ObjectHeader object = objects.object(member.getValue());
        if (objects.isDataset(object)) {
          add(object, names.apply(path + member.getKey()));
        } else {
          walk(object, path + member.getKey() + "/", depth + 1);
        }
      }
    }
    open.remove(group.getAddress());
  }

  private void count() throws FileFormatException {
    if (++visited > MAX_OBJECTS) {
      throw new FileFormatException(
          table.file(), "has more than %d objects".formatted(MAX_OBJECTS));
    }
  }

  private void add(ObjectHeader object, String name) throws IOException {
    HdfObjects.Dataset dataset = objects.dataset(object, name);
    TensorInfo info = new TensorInfo(name, dataset.type(), dataset.shape());
    table.add(
        info,
        () -> {
          try (InputStream stream = dataset.data().open()) {
            return Elements.floats(
                table.file(), stream, dataset.type(), dataset.order(), info.count());
          }
        });
  }
}
