// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import io.fusewire.model.Parameter.Kind;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/**
 * All tensors of a network in one f32 buffer: first everything trained, then the running
 * statistics, so that gradients and optimizer states are buffers of {@link #trainedElements()} with
 * the same offsets. Every tensor starts on a 64-byte boundary; what lies between is zero and never
 * touched.
 */
public final class Parameters {
  private static final int ALIGNMENT = 16;

  private final Map<String, Parameter> byName = new LinkedHashMap<>();
  private final long trainedElements;
  private final long elements;
  private final long trainedCount;
  private final String classifier;
  private final Initial initial;
  private final Set<String> zeroNorms;

  private Parameters(
      List<Parameter> unplaced, String classifier, Initial initial, Set<String> zeroNorms) {
    this.classifier = classifier;
    this.initial = initial;
    this.zeroNorms = Set.copyOf(zeroNorms);
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

  /** Lists a network's tensors in the order in which images meet them. */
  static Parameters of(Architecture net) {
    List<Parameter> list = new ArrayList<>();
    Set<String> zeroNorms = new HashSet<>();
    Initial initial = Initial.of(net);
    net.stem().forEach(layer -> add(list, layer));
    for (Block block : net.blocks()) {
      List<ConvNorm> layers = block.convolutions();
      int last = layers.size() - 1;
      layers.subList(0, last).forEach(layer -> add(list, layer));
      block.squeeze().ifPresent(squeeze -> add(list, squeeze));
      add(list, layers.get(last));
      block.shortcut().ifPresent(shortcut -> add(list, shortcut.conv()));
      if (initial == Initial.FASTAI) {
        zeroNorms.add(layers.get(last).norm() + ".weight");
      }
    }
    net.head().ifPresent(layer -> add(list, layer));
    add(list, net.classifier() + ".weight", Kind.CLASSIFIER, net.classes(), net.features());
    add(list, net.classifier() + ".bias", Kind.CLASSIFIER_BIAS, net.classes());
    return new Parameters(list, net.classifier(), initial, zeroNorms);
  }

  private static void add(List<Parameter> list, ConvNorm layer) {
    Kind kind =
        switch (layer.kind()) {
          case DENSE -> Kind.CONVOLUTION;
          case DEPTHWISE -> Kind.DEPTHWISE;
          case POINTWISE -> Kind.POINTWISE;
        };
    int in = layer.kind() == ConvNorm.Kind.DEPTHWISE ? 1 : layer.inChannels();
    int kernel = layer.kernel();
    add(list, layer.conv() + ".weight", kind, layer.outChannels(), in, kernel, kernel);
    addNorm(list, layer.norm(), layer.outChannels());
  }

  private static void add(List<Parameter> list, Squeeze squeeze) {
    int channels = squeeze.channels();
    int squeezed = squeeze.squeezed();
    add(list, squeeze.reduce() + ".weight", Kind.POINTWISE, squeezed, channels, 1, 1);
    add(list, squeeze.reduce() + ".bias", Kind.BIAS, squeezed);
    add(list, squeeze.expand() + ".weight", Kind.POINTWISE, channels, squeezed, 1, 1);
    add(list, squeeze.expand() + ".bias", Kind.BIAS, channels);
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
    return new Parameters(
        byName.values().stream().filter(which).toList(), classifier, initial, zeroNorms);
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
   * @param name the name that files have
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
   * Initial values, drawn as the network's family does.
   *
   * <ul>
   *   <li>EfficientNet: convolutions N(0, sqrt(2/(k*k*out))) where a depthwise convolution's "out"
   *       is 1, the classifier U(-1/sqrt(classes), 1/sqrt(classes)) with classes at least 1000 (the
   *       official implementation's choice, but for the classifier of fewer classes)
   *   <li>ResNet: convolutions N(0, sqrt(2/(k*k*out))), the classifier and its bias
   *       U(-1/sqrt(features), 1/sqrt(features)), as torchvision has it
   *   <li>XResNet: convolutions and classifier N(0, sqrt(2/(k*k*in))), and 0 for the factors of the
   *       BatchNorm that ends a block's branch, as fastai has it
   * </ul>
   *
   * BatchNorm is 1 and 0, running statistics 0 and 1, biases 0 where nothing else is said.
   *
   * @param seed the same seed gives the same values, on every machine
   * @return the whole buffer in the kernels' layouts
   */
  public float[] initialValues(long seed) {
    float[] values = new float[Math.toIntExact(elements)];
    Parameter weight = byName.get(classifier + ".weight");
    int number = 0;
    for (Parameter parameter : byName.values()) {
      initial.fill(parameter, weight, zeroNorms, seed * 0x9E3779B97F4A7C15L + number++, values);
    }
    return values;
  }
}
