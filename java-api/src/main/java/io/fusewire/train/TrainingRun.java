// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.data.Batch;
import io.fusewire.data.BatchLoader;
import io.fusewire.graph.HeadTrainingNetwork;
import io.fusewire.graph.Replay;
import io.fusewire.graph.TrainingGraph;
import io.fusewire.graph.TrainingNetwork;
import io.fusewire.graph.TrainingState;
import io.fusewire.io.FileFormatException;
import io.fusewire.model.MemoryEstimate;
import io.fusewire.ops.DType;
import io.fusewire.ops.DeviceLostException;
import io.fusewire.ops.Optimizer;
import io.fusewire.ops.ParameterTable;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Workspace;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;

/** One training run on one device: steps, evaluations, checkpoints and results. */
final class TrainingRun implements AutoCloseable {
  private static final float FIRST_F16_SCALE = 65536;
  private static final int ROWS_PER_EPOCH = 20;

  private final RunPlan plan;
  private final TrainChoices choices;
  private final Stream stream;
  private final ProgressListener listener;
  private final BooleanSupplier stopped;
  private final RunFiles files;
  private final TrainingState state;
  private final TrainedWeights weights;
  private final TrainingGraph network;
  private final ParameterTable table;
  private final Optimizer optimizer;
  private final Workspace workspace;
  private final Replay computation;
  private final InputStage input;
  private final StepResults results;
  private final Evaluator evaluator;
  private final Progress progress;

  private long step;
  private Tally epochTally = new Tally();
  private Tally rowTally = new Tally();
  private MetricsLog log = new MetricsLog();
  private long lastCheckpoint = System.nanoTime();
  private Path checkpoint;
  private long checkpointStep;

  /** Whether the last epoch had a curve; told once where it has none. */
  private boolean curveDrawn = true;

  /**
   * Allocates what a run needs.
   *
   * @param mode how steps run
   * @param overlapped whether batches travel while earlier steps compute
   */
  TrainingRun(
      RunPlan plan,
      Stream stream,
      Path directory,
      ProgressListener listener,
      BooleanSupplier stopped,
      Replay.Mode mode,
      boolean overlapped) {
    this.plan = plan;
    this.choices = plan.choices;
    this.stream = stream;
    this.listener = listener;
    this.stopped = stopped;
    this.files = new RunFiles(directory, plan);
    var settings = plan.optimizer();
    state =
        new TrainingState(
            stream,
            plan.trained,
            settings.kind(),
            choices.emaDecay > 0,
            choices.dtype == DType.F16 ? FIRST_F16_SCALE : 1);
    weights = new TrainedWeights(stream, plan, state);
    weights.start(plan.initialValues);
    network = open(plan, stream, state);
    table =
        OptimizerTables.of(stream, plan.trained, state, choices.weightDecay, plan.learningRates());
    optimizer = new Optimizer(settings);
    workspace = new Workspace(stream.device()).reserve(optimizer.workspaceBytes(stream, table));
    computation = new Replay(stream, "training step", this::compute, mode);
    input = new InputStage(stream, network.images(), network.labels(), overlapped);
    results = new StepResults(stream, choices.batch);
    evaluator = new Evaluator(plan, stream, network.arena());
    progress = new Progress(plan, listener);
  }

  private static TrainingGraph open(RunPlan plan, Stream stream, TrainingState state) {
    TrainChoices choices = plan.choices;
    if (choices.freeze == Freeze.NONE) {
      return TrainingNetwork.open(
          stream,
          plan.net,
          choices.batch,
          choices.dtype,
          plan.trainInput,
          choices.labelSmoothing,
          state);
    }
    HeadTrainingNetwork head =
        HeadTrainingNetwork.open(
            stream,
            plan.net,
            choices.batch,
            choices.dtype,
            plan.trainInput,
            choices.labelSmoothing,
            state);
    head.load(plan.initialValues);
    return head;
  }

  /** Takes over a checkpoint: all of it or, if anything does not fit, nothing. */
  void resume(Path file, Checkpoint checkpoint) throws IOException {
    Map<String, String> position = checkpoint.position();
    try {
      long trained = Long.parseLong(position.get("train_images"));
      if (trained != plan.trainImages.length) {
        throw new FileFormatException(
            file,
            "is of a run with %d training images; there are %d now"
                .formatted(trained, plan.trainImages.length));
      }
      if (checkpoint.step() < 0 || checkpoint.step() > plan.totalSteps) {
        throw new FileFormatException(
            file, "is at step %d of %d".formatted(checkpoint.step(), plan.totalSteps));
      }
      String names = String.join("\n", plan.split.train().classNames());
      if (!names.equals(position.get("class_names"))) {
        throw new FileFormatException(file, "is of a run with other classes");
      }
      MetricsLog oldLog = MetricsLog.decode(position.get("metrics"));
      Tally oldEpoch = Tally.decode(position.get("epoch_sums"));
      Tally oldRow = Tally.decode(position.get("row_sums"));
      double seconds = Double.parseDouble(position.get("seconds"));
      double trainSeconds = Double.parseDouble(position.get("train_seconds"));
      Checkpoint.load(file, plan, stream, state, weights);
      if (network instanceof HeadTrainingNetwork head) {
        head.load(weights.newest());
      }
      step = checkpoint.step();
      this.checkpoint = file;
      checkpointStep = step;
      log = oldLog;
      epochTally = oldEpoch;
      rowTally = oldRow;
      progress.resume(step, seconds, trainSeconds);
    } catch (IllegalArgumentException | NullPointerException e) {
      throw new FileFormatException(file, "has unusable counters: " + e.getMessage(), e);
    }
    listener.message("resumed %s at step %d of %d".formatted(file, step, plan.totalSteps));
  }

  TrainResult run() throws IOException {
    try {
      return runToEnd();
    } catch (DeviceLostException e) {
      throw new RunLostException(e, step, checkpoint, checkpointStep);
    }
  }

  private TrainResult runToEnd() throws IOException {
    MemoryEstimate estimate = MemoryCheck.estimate(stream, plan, choices.batch);
    listener.started(
        new ProgressListener.Start(
            plan.net.title(),
            stream.device().description(),
            plan.trainImages.length,
            plan.split.evaluation().size(),
            plan.net.classes(),
            plan.trained.trainedCount(),
            choices.epochs,
            plan.stepsPerEpoch,
            step,
            estimate.arenaBytes(),
            estimate.totalBytes()));
    progress.start();
    try {
      // A run that was stopped in an evaluation has that still to do.
      if (step > 0 && step % plan.stepsPerEpoch == 0 && log.epochs().size() < epochsDone()) {
        endEpoch();
      }
      while (step < plan.totalSteps && !stopped.getAsBoolean()) {
        trainEpoch();
        if (step % plan.stepsPerEpoch == 0 && !stopped.getAsBoolean()) {
          endEpoch();
        }
      }
      if (log.epochs().size() < choices.epochs) {
        writeCheckpoint();
        files.writeMetrics(log);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("training was interrupted");
    }
    return result();
  }

  private long epochsDone() {
    return step / plan.stepsPerEpoch;
  }

  private void trainEpoch() throws IOException, InterruptedException {
    long epoch = epochsDone();
    int first = (int) (step % plan.stepsPerEpoch);
    try (BatchLoader loader =
        new BatchLoader(
            plan.split.train(),
            plan.order(epoch),
            choices.batch,
            first,
            true,
            plan.decodeThreads(),
            choices.seed * 31 + epoch,
            input.pool())) {
      for (Batch batch = loader.next(); batch != null; batch = loader.next()) {
        trainStep(batch);
        long inEpoch = step - epoch * plan.stepsPerEpoch;
        if (inEpoch * ROWS_PER_EPOCH / plan.stepsPerEpoch
            > (inEpoch - 1) * ROWS_PER_EPOCH / plan.stepsPerEpoch) {
          addRow();
        }
        if (stopped.getAsBoolean()) {
          return;
        }
        if (System.nanoTime() - lastCheckpoint > choices.checkpointSeconds * 1_000_000_000L) {
          writeCheckpoint();
        }
      }
    }
    input.recycle(true);
    drain();
    if (epochTally.images() == 0) {
      throw new IOException(
          "no training image could be used (%d files left out)"
              .formatted(plan.split.skipped().count()));
    }
  }

  private void trainStep(Batch batch) {
    input.put(batch);
    double rate = learningRate();
    double momentum = choices.schedule.momentum(choices.momentum, step, plan.totalSteps);
    double t = step + 1.0;
    state
        .step()
        .set(
            stream,
            choices.seed,
            (int) step,
            (float) rate,
            (float) momentum,
            (float) Math.min(choices.emaDecay, t / (t + 9)),
            (float) (1 - StrictMath.pow(choices.momentum, t)),
            (float) (1 - StrictMath.pow(choices.optimizer.decay(), t)));
    computation.run();
    step++;
    boolean full = results.keep(network, batch.labels());
    input.recycle(false);
    if (full) {
      drain();
    }
    progress.stepped(step, rate);
  }

  /** A step between its input and its results; all that changes is in device memory. */
  private void compute() {
    network.run();
    optimizer.examine(stream, table, state.lossScale(), workspace.tensor());
    optimizer.step(stream, table, state.step(), state.lossScale());
  }

  private double learningRate() {
    return choices.schedule.learningRate(
        choices.learningRate, step, plan.totalSteps, plan.stepsPerEpoch, plan.warmUpSteps);
  }

  private void drain() {
    Tally fresh = new Tally();
    results.drain(fresh);
    epochTally.add(fresh);
    rowTally.add(fresh);
    progress.measured(fresh);
  }

  private void addRow() {
    drain();
    if (rowTally.images() > 0) {
      log.add((double) step / plan.stepsPerEpoch, metrics(rowTally, Double.NaN, Double.NaN));
    }
    rowTally.clear();
  }

  private EpochMetrics metrics(Tally train, double loss, double accuracy) {
    return new EpochMetrics(
        (int) ((step + plan.stepsPerEpoch - 1) / plan.stepsPerEpoch),
        step,
        train.meanLoss(),
        train.accuracy(),
        loss,
        accuracy,
        progress.learningRate(),
        progress.imagesPerSecond());
  }

  /** Evaluates and writes everything; if stopped meanwhile, the next run does it. */
  private void endEpoch() throws IOException, InterruptedException {
    int epoch = (int) epochsDone();
    float[] best = weights.best();
    progress.pause();
    Tally tally =
        evaluator.evaluate(best, (done, total) -> listener.evaluating(epoch, done, total), stopped);
    progress.go();
    if (tally == null) {
      return;
    }
    EpochMetrics metrics = metrics(epochTally, tally.meanLoss(), tally.accuracy());
    log.add(epoch, metrics);
    epochTally.clear();
    writeCheckpoint();
    files.writeModel(best, metrics);
    files.writeMetrics(log);
    String missing = files.writeCurve(log);
    if (!missing.isEmpty() && curveDrawn) {
      listener.message(
          "no curve.png: this host lacks fonts, or libfreetype and libharfbuzz to draw them ("
              + missing
              + "); metrics.csv has the numbers");
    }
    curveDrawn = missing.isEmpty();
    listener.epochEnded(metrics);
  }

  private void writeCheckpoint() throws IOException {
    drain();
    Map<String, String> position = new LinkedHashMap<>();
    position.put("train_images", Integer.toString(plan.trainImages.length));
    position.put("class_names", String.join("\n", plan.split.train().classNames()));
    position.put("metrics", log.encode());
    position.put("epoch_sums", epochTally.encode());
    position.put("row_sums", rowTally.encode());
    position.put("seconds", Double.toString(progress.seconds()));
    position.put("train_seconds", Double.toString(progress.trainSeconds()));
    new Checkpoint(SavedOptions.encode(choices), step, position, Map.of())
        .write(files.checkpoint(), plan, stream, state, weights);
    checkpoint = files.checkpoint();
    checkpointStep = step;
    lastCheckpoint = System.nanoTime();
  }

  private TrainResult result() {
    List<EpochMetrics> epochs = log.epochs();
    EpochMetrics last = epochs.isEmpty() ? null : epochs.get(epochs.size() - 1);
    return new TrainResult(
        epochs.size() < choices.epochs,
        last == null ? Double.NaN : last.evaluationAccuracy(),
        last == null ? Double.NaN : last.evaluationLoss(),
        progress.seconds(),
        progress.imagesPerSecond(),
        step,
        state.lossScale().read(stream).skipped(),
        plan.split.skipped().count(),
        epochs,
        files.directory(),
        last == null ? null : files.model(),
        files.metrics(),
        last == null || !curveDrawn ? null : files.curve(),
        files.checkpoint());
  }

  @Override
  public void close() {
    computation.close();
    input.close();
    evaluator.close();
    results.close();
    workspace.close();
    table.close();
    network.close();
    state.close();
  }
}
