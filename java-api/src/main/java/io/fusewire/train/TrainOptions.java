// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.model.Padding;
import io.fusewire.ops.DType;
import java.util.LinkedHashMap;
import java.util.Map;

/** A configuration's options as the strings that a checkpoint keeps. */
final class TrainOptions {
  private TrainOptions() {}

  /** All options that shape the training, as strings. */
  static Map<String, String> encode(TrainConfig config) {
    Map<String, String> options = new LinkedHashMap<>();
    options.put("data", config.data);
    options.put("model", config.model);
    options.put("resolution", Integer.toString(config.resolution));
    options.put("classes", Integer.toString(config.classes));
    options.put("batch", Integer.toString(config.batch));
    options.put("epochs", Integer.toString(config.epochs));
    options.put("samples", Integer.toString(config.samples));
    options.put("averageLogits", Boolean.toString(config.averageLogits));
    options.put("dropout", Double.toString(config.dropout));
    options.put("dropConnect", Double.toString(config.dropConnect));
    options.put("batchNormMomentum", Double.toString(config.batchNormMomentum));
    options.put("padding", config.padding.name());
    options.put("schedule", config.schedule.name());
    options.put("optimizer", config.optimizer.name());
    options.put("learningRate", Double.toString(config.learningRate));
    options.put("momentum", Double.toString(config.momentum));
    options.put("weightDecay", Double.toString(config.weightDecay));
    options.put("labelSmoothing", Double.toString(config.labelSmoothing));
    options.put("warmUpEpochs", Double.toString(config.warmUpEpochs));
    options.put("clipNorm", Double.toString(config.clipNorm));
    options.put("emaDecay", Double.toString(config.emaDecay));
    options.put("flip", Boolean.toString(config.flip));
    options.put("jitter", Integer.toString(config.jitter));
    options.put("dtype", config.dtype.name());
    options.put("seed", Long.toString(config.seed));
    options.put("trainLimit", Integer.toString(config.trainLimit));
    return options;
  }

  /**
   * A configuration with a checkpoint's options. One that was set must be the same there.
   *
   * @throws IllegalArgumentException if an option differs or is missing; the message names them all
   */
  static TrainConfig merge(TrainConfig config, Map<String, String> options) {
    Map<String, String> own = encode(config);
    StringBuilder differences = new StringBuilder();
    for (Map.Entry<String, String> option : own.entrySet()) {
      String there = options.get(option.getKey());
      if (there == null) {
        differences.append("; ").append(option.getKey()).append(" is missing in the checkpoint");
      } else if (config.set.contains(option.getKey()) && !there.equals(option.getValue())) {
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
    TrainConfig merged = new TrainConfig(config);
    merged.data = options.get("data");
    merged.model = options.get("model");
    merged.resolution = Integer.parseInt(options.get("resolution"));
    merged.classes = Integer.parseInt(options.get("classes"));
    merged.batch = Integer.parseInt(options.get("batch"));
    merged.epochs = Integer.parseInt(options.get("epochs"));
    merged.samples = Integer.parseInt(options.get("samples"));
    merged.averageLogits = Boolean.parseBoolean(options.get("averageLogits"));
    merged.dropout = Double.parseDouble(options.get("dropout"));
    merged.dropConnect = Double.parseDouble(options.get("dropConnect"));
    merged.batchNormMomentum = Double.parseDouble(options.get("batchNormMomentum"));
    merged.padding = Padding.valueOf(options.get("padding"));
    merged.schedule = Schedule.valueOf(options.get("schedule"));
    merged.optimizer = OptimizerKind.valueOf(options.get("optimizer"));
    merged.learningRate = Double.parseDouble(options.get("learningRate"));
    merged.momentum = Double.parseDouble(options.get("momentum"));
    merged.weightDecay = Double.parseDouble(options.get("weightDecay"));
    merged.labelSmoothing = Double.parseDouble(options.get("labelSmoothing"));
    merged.warmUpEpochs = Double.parseDouble(options.get("warmUpEpochs"));
    merged.clipNorm = Double.parseDouble(options.get("clipNorm"));
    merged.emaDecay = Double.parseDouble(options.get("emaDecay"));
    merged.flip = Boolean.parseBoolean(options.get("flip"));
    merged.jitter = Integer.parseInt(options.get("jitter"));
    merged.dtype = DType.valueOf(options.get("dtype"));
    merged.seed = Long.parseLong(options.get("seed"));
    merged.trainLimit = Integer.parseInt(options.get("trainLimit"));
    return merged;
  }
}
