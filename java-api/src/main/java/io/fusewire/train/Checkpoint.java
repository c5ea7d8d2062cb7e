// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.graph.ParameterBuffer;
import io.fusewire.graph.TrainingState;
import io.fusewire.io.FileFormatException;
import io.fusewire.io.SafeTensors;
import io.fusewire.io.SafeTensorsWriter;
import io.fusewire.model.Parameter;
import io.fusewire.ops.LossScale;
import io.fusewire.ops.Stream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A {@code checkpoint.safetensors}: everything that a run needs to go on bit for bit. Options and
 * counters are metadata; parameters, optimizer states and moving average are tensors under timm's
 * names with a prefix each, the last two of what is trained only.
 *
 * @param options the run's options
 * @param step steps made
 * @param position the run's counters beside the step
 * @param metadata everything the file says; empty before it is written
 */
record Checkpoint(
    Map<String, String> options,
    long step,
    Map<String, String> position,
    Map<String, String> metadata) {
  static final String FILE = "checkpoint.safetensors";
  private static final String FORMAT = "fusewire-checkpoint-1";
  private static final String OPTION = "option.";
  private static final String POSITION = "position.";
  private static final String MODEL = "model.";
  private static final String LOSS_SCALE = "loss_scale";

  /** The file that a path names: itself, or the checkpoint in a run's directory. */
  static Path locate(Path given) throws IOException {
    Path file = Files.isDirectory(given) ? given.resolve(FILE) : given;
    if (!Files.isRegularFile(file)) {
      throw new IOException("there is no checkpoint at " + file);
    }
    return file;
  }

  /** Reads all but the tensors. */
  static Checkpoint read(Path file) throws IOException {
    try (SafeTensors tensors = SafeTensors.open(file)) {
      Map<String, String> metadata = tensors.metadata();
      if (!FORMAT.equals(metadata.get("format"))) {
        throw new FileFormatException(
            file,
            "is not a checkpoint (its metadata has format '%s', not '%s')"
                .formatted(metadata.get("format"), FORMAT));
      }
      try {
        return new Checkpoint(
            withPrefix(metadata, OPTION),
            Long.parseLong(String.valueOf(metadata.get("step"))),
            withPrefix(metadata, POSITION),
            metadata);
      } catch (NumberFormatException e) {
        throw new FileFormatException(file, "has no step number", e);
      }
    }
  }

  static Map<String, String> withPrefix(Map<String, String> metadata, String prefix) {
    Map<String, String> result = new HashMap<>();
    metadata.forEach(
        (key, value) -> {
          if (key.startsWith(prefix)) {
            result.put(key.substring(prefix.length()), value);
          }
        });
    return result;
  }

  /** Writes the checkpoint, replacing an older one whole or not at all. */
  void write(Path file, RunPlan plan, Stream stream, TrainingState state, TrainedWeights weights)
      throws IOException {
    SafeTensorsWriter writer = new SafeTensorsWriter();
    writer.metadata("format", FORMAT);
    writer.metadata("step", Long.toString(step));
    options.forEach((key, value) -> writer.metadata(OPTION + key, value));
    position.forEach((key, value) -> writer.metadata(POSITION + key, value));
    StartingPoint.encode(plan, writer::metadata);
    LossScale.Values scale = state.lossScale().read(stream);
    writer.metadata(
        LOSS_SCALE,
        "%s,%d,%s,%d,%s"
            .formatted(
                Float.toString(scale.scale()),
                scale.goodSteps(),
                scale.overflow(),
                scale.skipped(),
                Float.toString(scale.gradientNorm())));
    ParameterFiles.add(writer, MODEL, plan.net.parameters().all(), weights.newest());
    for (Part part : parts(plan, state)) {
      ParameterFiles.add(writer, part.prefix, part.parameters, part.buffer.save(stream));
    }
    writer.write(file);
  }

  /** Loads the tensors into a state: all of them or, if anything does not fit, none. */
  static void load(
      Path file, RunPlan plan, Stream stream, TrainingState state, TrainedWeights weights)
      throws IOException {
    try (SafeTensors tensors = SafeTensors.open(file)) {
      float[] model = ParameterFiles.read(tensors, MODEL, plan.net.parameters().all());
      List<Part> parts = parts(plan, state);
      float[][] values = new float[parts.size()][];
      for (int i = 0; i < values.length; i++) {
        values[i] = ParameterFiles.read(tensors, parts.get(i).prefix, parts.get(i).parameters);
      }
      LossScale.Values scale;
      try {
        String[] f = String.valueOf(tensors.metadata().get(LOSS_SCALE)).split(",", -1);
        scale =
            new LossScale.Values(
                Float.parseFloat(f[0]),
                Integer.parseInt(f[1]),
                Boolean.parseBoolean(f[2]),
                Integer.parseInt(f[3]),
                Float.parseFloat(f[4]));
      } catch (RuntimeException e) {
        throw new FileFormatException(file, "has an unusable loss scale", e);
      }
      weights.start(model);
      for (int i = 0; i < values.length; i++) {
        parts.get(i).buffer.load(stream, values[i]);
      }
      state.lossScale().set(stream, scale);
    }
  }

  /** One buffer of a state beside the parameters, and which parameters it has. */
  private record Part(String prefix, List<Parameter> parameters, ParameterBuffer buffer) {}

  private static List<Part> parts(RunPlan plan, TrainingState state) {
    List<Parameter> all = plan.trained.all();
    List<Parameter> trained = all.stream().filter(p -> p.kind().trained()).toList();
    return java.util.stream.Stream.of(
            new Part("ema.", all, state.average()),
            new Part("state_0.", trained, state.state0()),
            new Part("state_1.", trained, state.state1()))
        .filter(part -> part.buffer != null)
        .toList();
  }
}
