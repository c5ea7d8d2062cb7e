// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import io.fusewire.model.Block;
import io.fusewire.model.EfficientNet;
import io.fusewire.model.MBConv;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The distinct layers of a network, derived from its block table and named as in the file. */
final class NetworkProblems {
  private record Shape(
      Layer layer, int height, int width, int inChannels, int outChannels, int kernel, int stride) {
    Problem named(String name, int layers) {
      return new Problem(
          name, layer, height, width, inChannels, outChannels, kernel, stride, layers);
    }
  }

  private record Found(String name, int layers) {}

  private final EfficientNet net;
  private final Map<Shape, Found> found = new LinkedHashMap<>();
  private int side;

  private NetworkProblems(EfficientNet net) {
    this.net = net;
    side = net.resolution();
  }

  static List<Problem> of(EfficientNet net) {
    NetworkProblems layers = new NetworkProblems(net);
    layers.walk();
    List<Problem> problems = new ArrayList<>();
    layers.found.forEach((shape, f) -> problems.add(shape.named(f.name(), f.layers())));
    return problems;
  }

  private void walk() {
    add("", Layer.STEM, net.inputChannels(), net.stemChannels(), 3, 2);
    int last = net.stemChannels();
    for (Block any : net.blocks()) {
      MBConv block = (MBConv) any;
      // In every stage only the first block differs from the others, and need not.
      boolean alone = net.blocks().stream().filter(b -> b.stage() == block.stage()).count() == 1;
      String first = alone || block.index() > 0 ? "" : ".0";
      String stage = "stage" + block.stage() + first + "/";
      if (block.expands()) {
        add(stage, Layer.EXPAND, block.inChannels(), block.expandedChannels(), 1, 1);
      }
      int expanded = block.expandedChannels();
      add(stage, Layer.DEPTHWISE, expanded, expanded, block.kernel(), block.stride());
      add(stage, Layer.SQUEEZE_EXCITE, expanded, block.squeezedChannels(), 1, 1);
      add(stage, Layer.PROJECT, expanded, block.outChannels(), 1, 1);
      last = block.outChannels();
    }
    add("", Layer.HEAD, last, net.headChannels(), 1, 1);
    add("", Layer.POOL, net.headChannels(), net.headChannels(), 1, 1);
    side = 1;
    add("", Layer.CLASSIFIER, net.headChannels(), net.classes(), 1, 1);
  }

  /** Adds a layer at the current size, and goes on with the size it leaves. */
  private void add(String place, Layer layer, int in, int out, int kernel, int stride) {
    Shape shape = new Shape(layer, side, side, in, out, kernel, stride);
    String name = net.name() + ":" + place + layer.label();
    Found before = found.get(shape);
    boolean sameStage = before != null && withoutFirst(before.name()).equals(withoutFirst(name));
    found.put(
        shape,
        before == null
            ? new Found(name, 1)
            : new Found(sameStage ? withoutFirst(name) : before.name(), before.layers() + 1));
    side = (int) net.padding().output(side, kernel, stride);
  }

  /** {@code b4:stage3/dw} for {@code b4:stage3.0/dw}. */
  private static String withoutFirst(String name) {
    return name.replace(".0/", "/");
  }
}
