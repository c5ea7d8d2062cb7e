// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.model.Parameter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads out of Fusewire's names, which are timm's, what every parameter of an EfficientNet is for.
 * In a block without expansion {@code conv_pw} and {@code bn1} are the projection and the depthwise
 * BatchNorm; that is undone here, once for all other libraries.
 */
record Slots(List<Slot> list, int stages) {
  private static final Pattern BLOCK =
      Pattern.compile("blocks\\.(\\d+)\\.(\\d+)\\.(.+)\\.(weight|bias|running_mean|running_var)");

  private record Place(int stage, int index) {}

  /** Whether these are the parameters of an EfficientNet. */
  static boolean describe(Collection<Parameter> parameters) {
    return parameters.stream().anyMatch(p -> p.name().equals("conv_stem.weight"));
  }

  /** The slots of an EfficientNet's parameters, in their order. */
  static Slots of(Collection<Parameter> parameters) {
    Map<Place, Set<String>> layers = new LinkedHashMap<>();
    for (Parameter parameter : parameters) {
      Matcher block = BLOCK.matcher(parameter.name());
      if (block.matches()) {
        layers.computeIfAbsent(place(block), place -> new LinkedHashSet<>()).add(block.group(3));
      }
    }
    Map<Place, BlockPlace> blocks = new LinkedHashMap<>();
    layers.forEach(
        (place, names) ->
            blocks.put(
                place,
                new BlockPlace(
                    place.stage,
                    place.index,
                    blocks.size(),
                    names.contains("conv_dw"),
                    names.contains("conv_pwl"),
                    names.contains("se.conv_reduce"))));
    List<Slot> list = new ArrayList<>();
    for (Parameter parameter : parameters) {
      list.add(slot(parameter, blocks));
    }
    int stages = blocks.keySet().stream().mapToInt(Place::stage).max().orElse(-1) + 1;
    return new Slots(List.copyOf(list), stages);
  }

  private static Place place(Matcher block) {
    return new Place(Integer.parseInt(block.group(1)), Integer.parseInt(block.group(2)));
  }

  private static Slot slot(Parameter parameter, Map<Place, BlockPlace> blocks) {
    Matcher matcher = BLOCK.matcher(parameter.name());
    if (matcher.matches()) {
      BlockPlace block = blocks.get(place(matcher));
      return new Slot(parameter, part(matcher.group(3), block), block, matcher.group(4));
    }
    int dot = parameter.name().lastIndexOf('.');
    String leaf = parameter.name().substring(dot + 1);
    Part part =
        switch (parameter.name().substring(0, dot)) {
          case "conv_stem" -> Part.STEM;
          case "bn1" -> Part.STEM_NORM;
          case "conv_head" -> Part.HEAD;
          case "bn2" -> Part.HEAD_NORM;
          case "classifier" -> Part.CLASSIFIER;
          default -> throw unknown(parameter.name());
        };
    return new Slot(parameter, part, null, leaf);
  }

  private static Part part(String layer, BlockPlace block) {
    boolean separable = block.depthwise() && !block.expands();
    return switch (layer) {
      case "conv_pw" -> separable ? Part.PROJECT : Part.EXPAND;
      case "conv_exp" -> Part.EXPAND;
      case "conv_dw" -> Part.DEPTHWISE;
      case "se.conv_reduce" -> Part.REDUCE;
      case "se.conv_expand" -> Part.EXCITE;
      case "conv_pwl", "conv" -> Part.PROJECT;
      case "bn1" ->
          separable ? Part.DEPTHWISE_NORM : block.expands() ? Part.EXPAND_NORM : Part.PROJECT_NORM;
      case "bn2" -> block.depthwise() && block.expands() ? Part.DEPTHWISE_NORM : Part.PROJECT_NORM;
      case "bn3" -> Part.PROJECT_NORM;
      default -> throw unknown(layer);
    };
  }

  private static IllegalStateException unknown(String name) {
    return new IllegalStateException("no EfficientNet is known to have a layer '" + name + "'");
  }
}
