// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.model.Parameter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Names of the checkpoints of EfficientNet's and EfficientNetV2's authors, below the model's own
 * scope: blocks are numbered through, a block's convolutions and BatchNorms in the order of use.
 * Moving averages of the weights, which evaluation there uses, are preferred to the weights.
 */
final class TensorFlowNames implements NamingScheme {
  private static final String AVERAGE = "/ExponentialMovingAverage";
  private static final Pattern SCOPE = Pattern.compile("^efficientnet[^/]*/");

  /** What an optimizer keeps beside the weights. */
  private static final Pattern SLOT =
      Pattern.compile(
          ".*/(RMSProp|Momentum|Adam|Adagrad)(_\\d+)?"
              + "|.*/(biased|local_step)"
              + "|.*/(rms|momentum|m|v)$"
              + "|global_step|beta[12]_power");

  @Override
  public Library library() {
    return Library.TENSORFLOW;
  }

  @Override
  public Set<String> stems() {
    return Set.of("stem/conv2d/kernel");
  }

  @Override
  public Optional<Map<String, SourceName>> names(List<Parameter> parameters) {
    if (!Slots.describe(parameters)) {
      return Optional.empty();
    }
    Map<String, SourceName> names = new LinkedHashMap<>();
    for (Slot slot : Slots.of(parameters).list()) {
      String layer = slot.block() == null ? outside(slot.part()) : inside(slot);
      names.put(
          slot.parameter().name(),
          new SourceName(layer + "/" + leaf(slot), Axes.tensorFlow(slot.parameter().kind())));
    }
    return Optional.of(names);
  }

  /** TensorFlow's name of a layer's tensor. */
  static String leaf(Slot slot) {
    if (slot.part().norm()) {
      return switch (slot.leaf()) {
        case "weight" -> "gamma";
        case "bias" -> "beta";
        case "running_mean" -> "moving_mean";
        default -> "moving_variance";
      };
    }
    if (slot.leaf().equals("bias")) {
      return "bias";
    }
    return slot.part() == Part.DEPTHWISE ? "depthwise_kernel" : "kernel";
  }

  private static String outside(Part part) {
    return switch (part) {
      case STEM -> "stem/conv2d";
      case STEM_NORM -> "stem/tpu_batch_normalization";
      case HEAD -> "head/conv2d";
      case HEAD_NORM -> "head/tpu_batch_normalization";
      default -> "head/dense";
    };
  }

  private static String inside(Slot slot) {
    BlockPlace block = slot.block();
    int before = block.expands() ? 1 : 0;
    String layer =
        switch (slot.part()) {
          case EXPAND -> "conv2d";
          case EXPAND_NORM -> "tpu_batch_normalization";
          case DEPTHWISE -> "depthwise_conv2d";
          case DEPTHWISE_NORM -> numbered("tpu_batch_normalization", before);
          case REDUCE -> "se/conv2d";
          case EXCITE -> "se/conv2d_1";
          case PROJECT -> numbered("conv2d", before);
          default -> numbered("tpu_batch_normalization", before + (block.depthwise() ? 1 : 0));
        };
    return "blocks_" + block.number() + "/" + layer;
  }

  private static String numbered(String name, int number) {
    return number == 0 ? name : name + "_" + number;
  }

  @Override
  public SourceKeys keys(Iterable<String> keys) {
    Set<String> present = new LinkedHashSet<>();
    keys.forEach(present::add);
    Map<String, String> names = new LinkedHashMap<>();
    int averages = 0;
    int slots = 0;
    for (String key : present) {
      String plain = key;
      if (key.endsWith(AVERAGE)) {
        plain = key.substring(0, key.length() - AVERAGE.length());
        averages++;
      } else if (present.contains(key + AVERAGE)) {
        continue;
      }
      if (SLOT.matcher(plain).matches()) {
        slots++;
        continue;
      }
      names.put(SCOPE.matcher(plain).replaceFirst(""), key);
    }
    List<String> remarks = new ArrayList<>();
    if (averages > 0) {
      remarks.add("took the moving averages of " + averages + " tensors, not their last values");
    }
    if (slots > 0) {
      remarks.add("left out " + slots + " tensors of the optimizer");
    }
    return new SourceKeys(names, remarks);
  }
}
