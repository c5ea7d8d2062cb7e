// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.data.Split;
import io.fusewire.graph.Replay;
import io.fusewire.io.FileFormatException;
import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Trains a network: everything between a {@link TrainConfig} and a run's directory. One run per
 * trainer.
 */
public final class Trainer {
  private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd_HH-mm-ss");

  private final TrainChoices choices;
  private final ProgressListener listener;
  private final AtomicBoolean stop = new AtomicBoolean();

  /**
   * Prepares a run; nothing is opened yet.
   *
   * @param config what to do; copied
   * @param listener is told how it goes
   */
  public Trainer(TrainConfig config, ProgressListener listener) {
    this.choices = new TrainChoices(config.choices);
    this.listener = listener;
  }

  /**
   * Trains until the last epoch or {@link #stop}.
   *
   * @return what the run left
   * @throws IOException if data cannot be read or results cannot be written, when the last whole
   *     checkpoint stays; or if the directory has another run's model or checkpoint, which stay too
   * @throws IllegalArgumentException if the options do not fit each other or the data
   * @throws RunLostException if the device fails for good; it has the last checkpoint's path
   * @throws io.fusewire.ops.FusewireException if the device reports an error or has too little
   *     memory; the latter before anything is allocated
   */
  public TrainResult run() throws IOException {
    return run(null, false);
  }

  /**
   * The same with a choice of how steps run and batches travel; by the device if the mode is null.
   */
  TrainResult run(Replay.Mode mode, boolean overlapped) throws IOException {
    Path resumed = choices.resume == null ? null : Checkpoint.locate(choices.resume);
    Checkpoint checkpoint = resumed == null ? null : Checkpoint.read(resumed);
    TrainChoices merged = checkpoint == null ? choices : merge(resumed, checkpoint);
    Path directory = directory(resumed);
    refuseOtherRun(directory, resumed);
    Device device = Device.of(merged.device);
    StartingPoint start =
        StartingPoint.of(merged, resumed, checkpoint == null ? null : checkpoint.metadata());
    TrainChoices beforeData = RunPlan.beforeData(merged, start);
    Split split =
        Split.open(
            beforeData.data, RunPlan.framing(beforeData.resolution, start), listener::message);
    RunPlan plan = RunPlan.of(beforeData, start, split);
    plan.messages().forEach(listener::message);
    try (Stream stream = Stream.open(device)) {
      stream.threads(plan.choices.threads).allowTf32(plan.choices.allowTf32);
      MemoryCheck.forTraining(stream, plan);
      Files.createDirectories(directory);
      try (TrainingRun run =
          new TrainingRun(
              plan,
              stream,
              directory,
              listener,
              stop::get,
              mode == null ? Replay.modeFor(device) : mode,
              mode == null ? InputStage.overlaps(device) : overlapped)) {
        if (checkpoint != null) {
          run.resume(resumed, checkpoint);
        }
        TrainResult result = run.run();
        listener.finished(result);
        return result;
      }
    }
  }

  /** A run replaces files of its own only. */
  private static void refuseOtherRun(Path directory, Path resumed) throws IOException {
    if (Files.exists(directory) && !Files.isDirectory(directory)) {
      throw new IOException(directory + " is a file; a run's files need a folder");
    }
    if (resumed != null
        && Files.exists(directory)
        && Files.isSameFile(directory, resumed.toAbsolutePath().getParent())) {
      return;
    }
    for (String name : List.of(RunFiles.MODEL, Checkpoint.FILE)) {
      if (Files.exists(directory.resolve(name))) {
        throw new IOException(
            directory + " has a run's " + name + " already; choose another folder for this run");
      }
    }
  }

  private TrainChoices merge(Path file, Checkpoint checkpoint) throws FileFormatException {
    try {
      return SavedOptions.merge(choices, checkpoint.options());
    } catch (IllegalArgumentException e) {
      throw new FileFormatException(file, "does not fit this run: " + e.getMessage(), e);
    }
  }

  private Path directory(Path resumed) throws IOException {
    if (choices.out != null) {
      return choices.out;
    }
    if (resumed != null) {
      return resumed.toAbsolutePath().getParent();
    }
    Path runs = Path.of("runs");
    String name = LocalDateTime.now(ZoneId.systemDefault()).format(TIME);
    Path directory = runs.resolve(name);
    for (int i = 2; Files.exists(directory); i++) {
      directory = runs.resolve(name + "_" + i);
    }
    return directory;
  }

  /**
   * Asks the run to stop after the current step and leave a checkpoint. May be called from any
   * thread, also from a shutdown hook; {@link #run} then returns soon.
   */
  public void stop() {
    stop.set(true);
  }
}
