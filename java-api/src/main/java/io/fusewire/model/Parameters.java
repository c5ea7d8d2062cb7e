// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import io.fusewire.model.Parameter.Kind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Predicate;

/**
 * All tensors of a network in one f32 buffer: first everything trained, then the running
 * statistics, so that gradients and optimizer states are buffers of {@link #trainedElements()} with
 * the same offsets. Every tensor starts on a 64-byte boundary; what lies between is zero and never
 * touched.
 */
public final class Parameters {
  private static final int ALIGNMENT = 16;

  /**
   * The official bound of the classifier's initial values, 1/sqrt(classes), was made for this many.
   * With ten it would give logits so large that the first hundreds of steps only shrink them.
   */
  private static final int OFFICIAL_CLASSES = 1000;

  private final Map<String, Parameter> byName = new LinkedHashMap<>();
  private final long trainedElements;
  private final long elements;
  private final long trainedCount;

  private Parameters(List<Parameter> unplaced) {
    long offset = 0;
    long counted = 0;
    for (Parameter parameter : unplaced) {
      if (parameter.kind().trained()) {
        offset = place(parameter, offset);
        counted += parameter.count();
      }
    }
    trainedElements = offset;
    trainedCount = counted;
    for (Parameter parameter : unplaced) {
      if (!parameter.kind().trained()) {
        offset = place(parameter, offset);
      }
    }
    elements = offset;
  }

  private long place(Parameter parameter, long offset) {
    Parameter placed = new Parameter(parameter.name(), parameter.kind(), parameter.shape(), offset);
    if (byName.put(placed.name(), placed) != null) {
      throw new IllegalStateException("two parameters are called " + placed.name());
    }
    return (offset + placed.count() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** Lists a network's tensors in timm's order and names. */
  static Parameters of(EfficientNet net) {
    List<Parameter> list = new ArrayList<>();
    add(list, "conv_stem.weight", Kind.CONVOLUTION, net.stemChannels(), net.inputChannels(), 3, 3);
    addNorm(list, "bn1", net.stemChannels());
    for (Block block : net.blocks()) {
      BlockNames names = BlockNames.of(block);
      int expanded = block.expandedChannels();
      if (block.expands()) {
        add(list, names.expand() + ".weight", Kind.POINTWISE, expanded, block.inChannels(), 1, 1);
        addNorm(list, names.expandNorm(), expanded);
      }
      add(
          list,
          names.depthwise() + ".weight",
          Kind.DEPTHWISE,
          expanded,
          1,
          block.kernel(),
          block.kernel());
      addNorm(list, names.depthwiseNorm(), expanded);
      int squeezed = block.squeezedChannels();
      add(list, names.reduce() + ".weight", Kind.POINTWISE, squeezed, expanded, 1, 1);
      add(list, names.reduce() + ".bias", Kind.BIAS, squeezed);
      add(list, names.excite() + ".weight", Kind.POINTWISE, expanded, squeezed, 1, 1);
      add(list, names.excite() + ".bias", Kind.BIAS, expanded);
      add(list, names.project() + ".weight", Kind.POINTWISE, block.outChannels(), expanded, 1, 1);
      addNorm(list, names.projectNorm(), block.outChannels());
    }
    int features = net.headChannels();
    int last = net.blocks().get(net.blocks().size() - 1).outChannels();
    add(list, "conv_head.weight", Kind.POINTWISE, features, last, 1, 1);
    addNorm(list, "bn2", features);
    add(list, "classifier.weight", Kind.CLASSIFIER, net.classes(), features);
    add(list, "classifier.bias", Kind.CLASSIFIER_BIAS, net.classes());
    return new Parameters(list);
  }

  private static void addNorm(List<Parameter> list, String name, int channels) {
    add(list, name + ".weight", Kind.NORM_WEIGHT, channels);
    add(list, name + ".bias", Kind.NORM_BIAS, channels);
    add(list, name + ".running_mean", Kind.RUNNING_MEAN, channels);
    add(list, name + ".running_var", Kind.RUNNING_VARIANCE, channels);
  }

  private static void add(List<Parameter> list, String name, Kind kind, Integer... shape) {
    list.add(new Parameter(name, kind, List.of(shape), -1));
  }

  /**
   * Some of these tensors, with places of their own in a smaller buffer.
   *
   * @param which tells those to take
   * @return they alone, in the same order
   */
  public Parameters only(Predicate<Parameter> which) {
    return new Parameters(byName.values().stream().filter(which).toList());
  }

  /**
   * All tensors, trained ones first.
   *
   * @return in the order of their offsets
   */
  public List<Parameter> all() {
    return List.copyOf(byName.values());
  }

  /**
   * Finds a tensor.
   *
   * @param name timm's name
   * @return the tensor
   * @throws IllegalArgumentException if the network has none of that name
   */
  public Parameter get(String name) {
    Parameter parameter = byName.get(name);
    if (parameter == null) {
      throw new IllegalArgumentException("this network has no parameter '" + name + "'");
    }
    return parameter;
  }

  /**
   * Number of trained values, as published tables count them: without running statistics and
   * without alignment.
   *
   * @return 5,288,548 for B0 with 1000 classes
   */
  public long trainedCount() {
    return trainedCount;
  }

  /**
   * Size of a gradient or optimizer state buffer.
   *
   * @return elements, alignment included
   */
  public long trainedElements() {
    return trainedElements;
  }

  /**
   * Size of the buffer of all tensors, running statistics included.
   *
   * @return elements, alignment included
   */
  public long elements() {
    return elements;
  }

  /**
   * Initial values: convolutions N(0, sqrt(2/(k*k*out))) where a depthwise convolution's "out" is
   * 1, the classifier U(-1/sqrt(classes), 1/sqrt(classes)) with classes at least 1000, BatchNorm 1
   * and 0, running statistics 0 and 1, biases 0 (the official implementation's choice, but for the
   * classifier of fewer classes).
   *
   * @param seed the same seed gives the same values, on every machine
   * @return the whole buffer in the kernels' layouts
   */
  public float[] initialValues(long seed) {
    float[] values = new float[Math.toIntExact(elements)];
    int number = 0;
    for (Parameter parameter : byName.values()) {
      // java.util.Random, because its gaussian is specified to the bit and the same in every JDK.
      Random random = new Random(seed * 0x9E3779B97F4A7C15L + number++);
      int from = Math.toIntExact(parameter.offset());
      int to = from + Math.toIntExact(parameter.count());
      List<Integer> shape = parameter.shape();
      switch (parameter.kind()) {
        case CONVOLUTION, DEPTHWISE, POINTWISE -> {
          int out = parameter.kind() == Kind.DEPTHWISE ? 1 : shape.get(0);
          double deviation = Math.sqrt(2.0 / (shape.get(2) * shape.get(3) * out));
          for (int i = from; i < to; i++) {
            values[i] = (float) (random.nextGaussian() * deviation);
          }
        }
        case CLASSIFIER -> {
          double bound = 1 / Math.sqrt(Math.max(shape.get(0), OFFICIAL_CLASSES));
          for (int i = from; i < to; i++) {
            values[i] = (float) ((2 * random.nextDouble() - 1) * bound);
          }
        }
        case NORM_WEIGHT, RUNNING_VARIANCE -> Arrays.fill(values, from, to, 1f);
        default -> {}
      }
    }
    return values;
  }
}
