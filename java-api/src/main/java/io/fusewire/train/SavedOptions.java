// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.model.Architecture;
import io.fusewire.model.Padding;
import io.fusewire.ops.DType;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Function;

/** The options that shape a training, as the strings that a checkpoint keeps. */
final class SavedOptions {
  private static final Map<String, Option> OPTIONS = new LinkedHashMap<>();

  static {
    add("data", c -> c.data, (c, v) -> c.data = v);
    add("model", c -> plainName(c.model), (c, v) -> c.model = v);
    addLater("init", "", c -> c.init, (c, v) -> c.init = v);
    addLater(
        "freeze", Freeze.NONE.name(), c -> c.freeze.name(), (c, v) -> c.freeze = Freeze.valueOf(v));
    add("resolution", c -> c.resolution, (c, v) -> c.resolution = Integer.parseInt(v));
    add("classes", c -> c.classes, (c, v) -> c.classes = Integer.parseInt(v));
    add("batch", c -> c.batch, (c, v) -> c.batch = Integer.parseInt(v));
    add("epochs", c -> c.epochs, (c, v) -> c.epochs = Integer.parseInt(v));
    add("samples", c -> c.samples, (c, v) -> c.samples = Integer.parseInt(v));
    add("averageLogits", c -> c.averageLogits, (c, v) -> c.averageLogits = Boolean.parseBoolean(v));
    add("dropout", c -> c.dropout, (c, v) -> c.dropout = Double.parseDouble(v));
    add("dropConnect", c -> c.dropConnect, (c, v) -> c.dropConnect = Double.parseDouble(v));
    add(
        "batchNormMomentum",
        c -> c.batchNormMomentum,
        (c, v) -> c.batchNormMomentum = Double.parseDouble(v));
    add(
        "padding",
        c -> c.padding == null ? "" : c.padding.name(),
        (c, v) -> c.padding = Padding.valueOf(v));
    add("schedule", c -> c.schedule.name(), (c, v) -> c.schedule = Schedule.valueOf(v));
    add("optimizer", c -> c.optimizer.name(), (c, v) -> c.optimizer = OptimizerKind.valueOf(v));
    add("learningRate", c -> c.learningRate, (c, v) -> c.learningRate = Double.parseDouble(v));
    addLater(
        "layerDecay", "1.0", c -> c.layerDecay, (c, v) -> c.layerDecay = Double.parseDouble(v));
    addLater(
        "featureRate", "1.0", c -> c.featureRate, (c, v) -> c.featureRate = Double.parseDouble(v));
    add("momentum", c -> c.momentum, (c, v) -> c.momentum = Double.parseDouble(v));
    add("weightDecay", c -> c.weightDecay, (c, v) -> c.weightDecay = Double.parseDouble(v));
    add(
        "labelSmoothing",
        c -> c.labelSmoothing,
        (c, v) -> c.labelSmoothing = Double.parseDouble(v));
    add("warmUpEpochs", c -> c.warmUpEpochs, (c, v) -> c.warmUpEpochs = Double.parseDouble(v));
    add("clipNorm", c -> c.clipNorm, (c, v) -> c.clipNorm = Double.parseDouble(v));
    add("emaDecay", c -> c.emaDecay, (c, v) -> c.emaDecay = Double.parseDouble(v));
    add("flip", c -> c.flip, (c, v) -> c.flip = Boolean.parseBoolean(v));
    add("jitter", c -> c.jitter, (c, v) -> c.jitter = Integer.parseInt(v));
    add("dtype", c -> c.dtype.name(), (c, v) -> c.dtype = DType.valueOf(v));
    addLater(
        "allowTf32", "false", c -> c.allowTf32, (c, v) -> c.allowTf32 = Boolean.parseBoolean(v));
    add("seed", c -> c.seed, (c, v) -> c.seed = Long.parseLong(v));
    add("trainLimit", c -> c.trainLimit, (c, v) -> c.trainLimit = Integer.parseInt(v));
  }

  /**
   * How one option becomes a string and is read back.
   *
   * @param unsaved what it is in checkpoints older than the option; null if there are none
   */
  private record Option(
      String unsaved,
      Function<TrainChoices, Object> value,
      BiConsumer<TrainChoices, String> read) {}

  private SavedOptions() {}

  /** A model has many names; a checkpoint's may also be a name that only a file gave it. */
  private static String plainName(String model) {
    try {
      return model.isEmpty() ? "" : Architecture.byName(model).build().name();
    } catch (IllegalArgumentException e) {
      return model;
    }
  }

  private static void add(
      String name, Function<TrainChoices, Object> value, BiConsumer<TrainChoices, String> read) {
    OPTIONS.put(name, new Option(null, value, read));
  }

  private static void addLater(
      String name,
      String unsaved,
      Function<TrainChoices, Object> value,
      BiConsumer<TrainChoices, String> read) {
    OPTIONS.put(name, new Option(unsaved, value, read));
  }

  /** All of them by name. */
  static Map<String, String> encode(TrainChoices choices) {
    Map<String, String> options = new LinkedHashMap<>();
    OPTIONS.forEach((name, option) -> options.put(name, option.value().apply(choices).toString()));
    return options;
  }

  /**
   * Choices with a checkpoint's options. One that was given must be the same there.
   *
   * @throws IllegalArgumentException if an option differs or is missing; the message names them all
   */
  static TrainChoices merge(TrainChoices choices, Map<String, String> options) {
    Map<String, String> own = encode(choices);
    StringBuilder differences = new StringBuilder();
    for (Map.Entry<String, String> option : own.entrySet()) {
      String there = saved(option.getKey(), options);
      if (there == null) {
        differences.append("; ").append(option.getKey()).append(" is missing in the checkpoint");
      } else if (choices.given.contains(option.getKey()) && !there.equals(option.getValue())) {
        differences
            .append("; ")
            .append(option.getKey())
            .append(" is ")
            .append(there)
            .append(" in the checkpoint, ")
            .append(option.getValue())
            .append(" was asked for");
      }
    }
    if (differences.length() > 0) {
      throw new IllegalArgumentException(differences.substring(2));
    }
    TrainChoices merged = new TrainChoices(choices);
    OPTIONS.forEach((name, option) -> option.read().accept(merged, saved(name, options)));
    return merged;
  }

  private static String saved(String name, Map<String, String> options) {
    return options.getOrDefault(name, OPTIONS.get(name).unsaved());
  }
}
