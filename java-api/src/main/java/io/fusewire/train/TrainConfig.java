// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.model.Padding;
import io.fusewire.ops.DType;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;

/**
 * Everything one can choose about a training run. Setters check their value, return this, and
 * refuse what cannot be with an {@link IllegalArgumentException}; what depends on the data is
 * checked when the run starts. The defaults train EfficientNet-B0 with an 8-sample-dropout head and
 * a one-cycle schedule on Fashion-MNIST.
 */
public final class TrainConfig {
  String data = "fashion-mnist";
  String model = "b0";
  int resolution;
  int classes;
  int batch;
  int epochs;
  int samples = 8;
  boolean averageLogits;
  double dropout = -1;
  double dropConnect = -1;
  double batchNormMomentum = -1;
  Padding padding = Padding.SAME;
  Schedule schedule = Schedule.ONE_CYCLE;
  OptimizerKind optimizer = OptimizerKind.RMSPROP;
  double learningRate;
  double momentum = -1;
  double weightDecay = 1e-5;
  double labelSmoothing = 0.1;
  double warmUpEpochs = 5;
  double clipNorm;
  double emaDecay = 0.9999;
  boolean flip = true;
  int jitter = -1;
  DType dtype = DType.F32;
  long seed = 1;
  int trainLimit;
  String device = "best";
  int threads;
  int checkpointSeconds = 60;
  Path resume;
  Path out;

  /** Options that were set, by name; the others may be replaced by a checkpoint's. */
  final Set<String> set = new HashSet<>();

  /** Makes a configuration with the defaults. */
  public TrainConfig() {}

  /** Copies a configuration. */
  TrainConfig(TrainConfig other) {
    data = other.data;
    model = other.model;
    resolution = other.resolution;
    classes = other.classes;
    batch = other.batch;
    epochs = other.epochs;
    samples = other.samples;
    averageLogits = other.averageLogits;
    dropout = other.dropout;
    dropConnect = other.dropConnect;
    batchNormMomentum = other.batchNormMomentum;
    padding = other.padding;
    schedule = other.schedule;
    optimizer = other.optimizer;
    learningRate = other.learningRate;
    momentum = other.momentum;
    weightDecay = other.weightDecay;
    labelSmoothing = other.labelSmoothing;
    warmUpEpochs = other.warmUpEpochs;
    clipNorm = other.clipNorm;
    emaDecay = other.emaDecay;
    flip = other.flip;
    jitter = other.jitter;
    dtype = other.dtype;
    seed = other.seed;
    trainLimit = other.trainLimit;
    device = other.device;
    threads = other.threads;
    checkpointSeconds = other.checkpointSeconds;
    resume = other.resume;
    out = other.out;
    set.addAll(other.set);
  }

  /**
   * What to train on: {@code fashion-mnist}, an image folder with {@code train/<class>/*} and
   * {@code val/<class>/*}, or a folder of IDX files with MNIST's names, gzipped or not.
   *
   * @param data a name or path
   * @return this
   */
  public TrainConfig data(String data) {
    this.data = Objects.requireNonNull(data, "data");
    set.add("data");
    return this;
  }

  /**
   * The model, {@code b0} to {@code b7}.
   *
   * @param model its name
   * @return this
   */
  public TrainConfig model(String model) {
    this.model = Objects.requireNonNull(model, "model");
    set.add("model");
    return this;
  }

  /**
   * Height and width of the network's input; 0 means 32 for Fashion-MNIST and IDX files, else the
   * model's own.
   *
   * @param resolution pixels
   * @return this
   */
  public TrainConfig resolution(int resolution) {
    atLeast("resolution", resolution, 0);
    this.resolution = resolution;
    set.add("resolution");
    return this;
  }

  /**
   * Number of classes; 0 means as many as the data has. More than those leaves room, fewer is
   * refused.
   *
   * @param classes a number
   * @return this
   */
  public TrainConfig classes(int classes) {
    atLeast("classes", classes, 0);
    this.classes = classes;
    set.add("classes");
    return this;
  }

  /**
   * Images per step; 0 means 128 for Fashion-MNIST and IDX files, else 64.
   *
   * @param batch a number
   * @return this
   */
  public TrainConfig batch(int batch) {
    atLeast("batch", batch, 0);
    this.batch = batch;
    set.add("batch");
    return this;
  }

  /**
   * Passes over the training images; 0 means 4 for Fashion-MNIST and IDX files, else 20.
   *
   * @param epochs a number
   * @return this
   */
  public TrainConfig epochs(int epochs) {
    atLeast("epochs", epochs, 0);
    this.epochs = epochs;
    set.add("epochs");
    return this;
  }

  /**
   * Dropout samples of the head (arXiv 1905.09788); 1 is ordinary dropout.
   *
   * @param samples 1 to 64
   * @return this
   */
  public TrainConfig samples(int samples) {
    atLeast("samples", samples, 1);
    this.samples = samples;
    set.add("samples");
    return this;
  }

  /**
   * Whether the head averages the samples' logits instead of their losses.
   *
   * @param averageLogits true for logits
   * @return this
   */
  public TrainConfig averageLogits(boolean averageLogits) {
    this.averageLogits = averageLogits;
    set.add("averageLogits");
    return this;
  }

  /**
   * Dropout before the classifier; below 0 means the model's own.
   *
   * @param dropout a probability, or a negative number
   * @return this
   */
  public TrainConfig dropout(double dropout) {
    this.dropout = dropout;
    set.add("dropout");
    return this;
  }

  /**
   * Drop-connect rate that grows with depth; below 0 means the official 0.2, or none for runs of
   * fewer than 10 epochs, which it only slows.
   *
   * @param dropConnect a probability, or a negative number
   * @return this
   */
  public TrainConfig dropConnect(double dropConnect) {
    this.dropConnect = dropConnect;
    set.add("dropConnect");
    return this;
  }

  /**
   * Weight of the newest batch in BatchNorm's running statistics; below 0 means the official 0.01,
   * or 0.1 for runs of fewer than 10 epochs.
   *
   * @param batchNormMomentum a probability, or a negative number
   * @return this
   */
  public TrainConfig batchNormMomentum(double batchNormMomentum) {
    this.batchNormMomentum = batchNormMomentum;
    set.add("batchNormMomentum");
    return this;
  }

  /**
   * How convolutions pad.
   *
   * @param padding the padding
   * @return this
   */
  public TrainConfig padding(Padding padding) {
    this.padding = Objects.requireNonNull(padding, "padding");
    set.add("padding");
    return this;
  }

  /**
   * How the learning rate goes.
   *
   * @param schedule the schedule
   * @return this
   */
  public TrainConfig schedule(Schedule schedule) {
    this.schedule = Objects.requireNonNull(schedule, "schedule");
    set.add("schedule");
    return this;
  }

  /**
   * The optimizer.
   *
   * @param optimizer the optimizer
   * @return this
   */
  public TrainConfig optimizer(OptimizerKind optimizer) {
    this.optimizer = Objects.requireNonNull(optimizer, "optimizer");
    set.add("optimizer");
    return this;
  }

  /**
   * Highest learning rate; 0 means the optimizer's usual one, scaled by the batch.
   *
   * @param learningRate a number
   * @return this
   */
  public TrainConfig learningRate(double learningRate) {
    atLeast("learning rate", learningRate, 0);
    this.learningRate = learningRate;
    set.add("learningRate");
    return this;
  }

  /**
   * Momentum; below 0 means the optimizer's usual one.
   *
   * @param momentum a number below 1, or a negative number
   * @return this
   */
  public TrainConfig momentum(double momentum) {
    this.momentum = momentum;
    set.add("momentum");
    return this;
  }

  /**
   * Weight decay of weights; BatchNorm and biases have none.
   *
   * @param weightDecay a number
   * @return this
   */
  public TrainConfig weightDecay(double weightDecay) {
    atLeast("weight decay", weightDecay, 0);
    this.weightDecay = weightDecay;
    set.add("weightDecay");
    return this;
  }

  /**
   * Share of the target that is spread over all classes.
   *
   * @param labelSmoothing 0 up to but not 1
   * @return this
   */
  public TrainConfig labelSmoothing(double labelSmoothing) {
    atLeast("label smoothing", labelSmoothing, 0);
    this.labelSmoothing = labelSmoothing;
    set.add("labelSmoothing");
    return this;
  }

  /**
   * Epochs of linear warm-up; at most a tenth of the run. One-cycle has its own.
   *
   * @param warmUpEpochs a number
   * @return this
   */
  public TrainConfig warmUpEpochs(double warmUpEpochs) {
    atLeast("warm-up", warmUpEpochs, 0);
    this.warmUpEpochs = warmUpEpochs;
    set.add("warmUpEpochs");
    return this;
  }

  /**
   * Largest 2-norm of the gradients; 0 means any.
   *
   * @param clipNorm a number
   * @return this
   */
  public TrainConfig clipNorm(double clipNorm) {
    atLeast("clip norm", clipNorm, 0);
    this.clipNorm = clipNorm;
    set.add("clipNorm");
    return this;
  }

  /**
   * Decay of the moving average of the weights, with the ramp min(decay, (1+n)/(10+n)); 0 means
   * none.
   *
   * @param emaDecay 0 up to but not 1
   * @return this
   */
  public TrainConfig emaDecay(double emaDecay) {
    atLeast("EMA decay", emaDecay, 0);
    this.emaDecay = emaDecay;
    set.add("emaDecay");
    return this;
  }

  /**
   * Whether training images are mirrored at random.
   *
   * @param flip true to mirror
   * @return this
   */
  public TrainConfig flip(boolean flip) {
    this.flip = flip;
    set.add("flip");
    return this;
  }

  /**
   * Pixels by which training images of IDX files are shifted at random, at most; below 0 means 2.
   *
   * @param jitter a number
   * @return this
   */
  public TrainConfig jitter(int jitter) {
    this.jitter = jitter;
    set.add("jitter");
    return this;
  }

  /**
   * Storage type of activations. F16 has dynamic loss scaling.
   *
   * @param dtype F32, BF16 or F16
   * @return this
   */
  public TrainConfig dtype(DType dtype) {
    this.dtype = Objects.requireNonNull(dtype, "dtype");
    set.add("dtype");
    return this;
  }

  /**
   * Seed of everything random: initial weights, order, augmentation, dropout.
   *
   * @param seed any number
   * @return this
   */
  public TrainConfig seed(long seed) {
    this.seed = seed;
    set.add("seed");
    return this;
  }

  /**
   * Uses only so many training images, drawn evenly over the classes; 0 means all.
   *
   * @param trainLimit a number
   * @return this
   */
  public TrainConfig trainLimit(int trainLimit) {
    atLeast("limit", trainLimit, 0);
    this.trainLimit = trainLimit;
    set.add("trainLimit");
    return this;
  }

  /**
   * Name of the device: {@code best}, {@code cpu}, {@code cuda} or {@code cuda:N}.
   *
   * @param device as {@link io.fusewire.ops.Device#of} takes it
   * @return this
   */
  public TrainConfig device(String device) {
    this.device = Objects.requireNonNull(device, "device");
    set.add("device");
    return this;
  }

  /**
   * CPU threads; 0 means all cores.
   *
   * @param threads a number
   * @return this
   */
  public TrainConfig threads(int threads) {
    atLeast("threads", threads, 0);
    this.threads = threads;
    set.add("threads");
    return this;
  }

  /**
   * Seconds between checkpoints; there is always one at the end of an epoch and when stopped.
   *
   * @param checkpointSeconds a number
   * @return this
   */
  public TrainConfig checkpointSeconds(int checkpointSeconds) {
    atLeast("checkpoint seconds", checkpointSeconds, 1);
    this.checkpointSeconds = checkpointSeconds;
    set.add("checkpointSeconds");
    return this;
  }

  /**
   * A checkpoint, or a run's directory, to go on from; null starts anew. Options that were not set
   * are then the checkpoint's, and one that was set to something else is refused.
   *
   * @param resume a path or null
   * @return this
   */
  public TrainConfig resume(Path resume) {
    this.resume = resume;
    set.add("resume");
    return this;
  }

  /**
   * The run's directory; null means {@code runs/<time>}, or that of the resumed run.
   *
   * @param out a path or null
   * @return this
   */
  public TrainConfig out(Path out) {
    this.out = out;
    set.add("out");
    return this;
  }

  private static void atLeast(String what, double value, double low) {
    if (!(value >= low && value < Integer.MAX_VALUE)) {
      throw new IllegalArgumentException(
          String.format(Locale.ROOT, "%s: %s is not a number of at least %s", what, value, low));
    }
  }
}
