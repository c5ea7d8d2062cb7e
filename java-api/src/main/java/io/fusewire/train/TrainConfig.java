// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.model.Padding;
import io.fusewire.ops.DType;
import java.nio.file.Path;
import java.util.Objects;

/**
 * Everything one can choose about a training run. Setters check their value, return this, and
 * refuse what cannot be with an {@link IllegalArgumentException}; what depends on the data is
 * checked when the run starts. The defaults train EfficientNet-B0 with an 8-sample-dropout head and
 * a one-cycle schedule on Fashion-MNIST.
 */
public final class TrainConfig {
  final TrainChoices choices;

  /** Makes a configuration with the defaults. */
  public TrainConfig() {
    choices = new TrainChoices();
  }

  /**
   * What to train on: {@code fashion-mnist}, an image folder with {@code train/<class>/*} and
   * {@code val/<class>/*}, or a folder of IDX files with MNIST's names, gzipped or not.
   *
   * @param data a name or path
   * @return this
   */
  public TrainConfig data(String data) {
    choices.data = Objects.requireNonNull(data, "data");
    return given("data");
  }

  /**
   * The model. Without one it is that of the initial weights or, if there are none, {@code b0}.
   *
   * @param model its name, such as {@code b0}
   * @return this
   */
  public TrainConfig model(String model) {
    choices.model = Objects.requireNonNull(model, "model");
    return given("model");
  }

  /**
   * A Fusewire model file with the weights to start from. They decide the model, its padding, its
   * BatchNorm constants and the preprocessing as far as nothing else is asked for; a classifier of
   * other classes is left behind. Weights that do not fit are refused as a whole.
   *
   * @param file a {@code model.safetensors}
   * @return this
   */
  public TrainConfig init(Path file) {
    choices.init = file.toString();
    choices.weights = null;
    return given("init");
  }

  /**
   * Weights to start from, as {@link #init(Path)} has them, already read.
   *
   * @param name what to call them in messages and checkpoints, such as their file; not blank
   * @param weights architecture, preprocessing and weights
   * @return this
   */
  public TrainConfig init(String name, ModelFile weights) {
    if (name.isBlank()) {
      throw new IllegalArgumentException("the name of initial weights is not blank");
    }
    choices.init = name;
    choices.weights = Objects.requireNonNull(weights, "weights");
    return given("init");
  }

  /**
   * What of the network stays as the initial weights have it.
   *
   * @param freeze what; needs initial weights unless nothing
   * @return this
   */
  public TrainConfig freeze(Freeze freeze) {
    choices.freeze = Objects.requireNonNull(freeze, "freeze");
    return given("freeze");
  }

  /**
   * Height and width of the network's input; 0 means 32 for Fashion-MNIST and IDX files, else the
   * model's own.
   *
   * @param resolution pixels
   * @return this
   */
  public TrainConfig resolution(int resolution) {
    choices.resolution = atLeast("resolution", resolution, 0);
    return given("resolution");
  }

  /**
   * Number of classes; 0 means as many as the data has. More than those leaves room, fewer is
   * refused.
   *
   * @param classes a number
   * @return this
   */
  public TrainConfig classes(int classes) {
    choices.classes = atLeast("classes", classes, 0);
    return given("classes");
  }

  /**
   * Images per step; 0 means 128 for Fashion-MNIST and IDX files, else 64.
   *
   * @param batch a number
   * @return this
   */
  public TrainConfig batch(int batch) {
    choices.batch = atLeast("batch", batch, 0);
    return given("batch");
  }

  /**
   * Passes over the training images; 0 means 4 for Fashion-MNIST and IDX files, else 20.
   *
   * @param epochs a number
   * @return this
   */
  public TrainConfig epochs(int epochs) {
    choices.epochs = atLeast("epochs", epochs, 0);
    return given("epochs");
  }

  /**
   * Dropout samples of the head (arXiv 1905.09788); 1 is ordinary dropout.
   *
   * @param samples 1 to 64
   * @return this
   */
  public TrainConfig samples(int samples) {
    choices.samples = atLeast("samples", samples, 1);
    return given("samples");
  }

  /**
   * Whether the head averages the samples' logits instead of their losses.
   *
   * @param averageLogits true for logits
   * @return this
   */
  public TrainConfig averageLogits(boolean averageLogits) {
    choices.averageLogits = averageLogits;
    return given("averageLogits");
  }

  /**
   * Dropout before the classifier; below 0 means the model's own.
   *
   * @param dropout a probability, or a negative number
   * @return this
   */
  public TrainConfig dropout(double dropout) {
    choices.dropout = dropout;
    return given("dropout");
  }

  /**
   * Drop-connect rate that grows with depth; below 0 means the official 0.2, or none for runs of
   * fewer than 10 epochs, which it only slows.
   *
   * @param dropConnect a probability, or a negative number
   * @return this
   */
  public TrainConfig dropConnect(double dropConnect) {
    choices.dropConnect = dropConnect;
    return given("dropConnect");
  }

  /**
   * Weight of the newest batch in BatchNorm's running statistics; below 0 means the official 0.01,
   * or 0.1 for runs of fewer than 10 epochs.
   *
   * @param batchNormMomentum a probability, or a negative number
   * @return this
   */
  public TrainConfig batchNormMomentum(double batchNormMomentum) {
    choices.batchNormMomentum = batchNormMomentum;
    return given("batchNormMomentum");
  }

  /**
   * How convolutions pad; without a choice as the initial weights expect it or, if there are none,
   * as the model's family does.
   *
   * @param padding the padding
   * @return this
   */
  public TrainConfig padding(Padding padding) {
    choices.padding = Objects.requireNonNull(padding, "padding");
    return given("padding");
  }

  /**
   * How the learning rate goes.
   *
   * @param schedule the schedule
   * @return this
   */
  public TrainConfig schedule(Schedule schedule) {
    choices.schedule = Objects.requireNonNull(schedule, "schedule");
    return given("schedule");
  }

  /**
   * The optimizer.
   *
   * @param optimizer the optimizer
   * @return this
   */
  public TrainConfig optimizer(OptimizerKind optimizer) {
    choices.optimizer = Objects.requireNonNull(optimizer, "optimizer");
    return given("optimizer");
  }

  /**
   * Highest learning rate; 0 means the optimizer's usual one, scaled by the batch, and a tenth of
   * that where initial weights are trained further.
   *
   * @param learningRate a number
   * @return this
   */
  public TrainConfig learningRate(double learningRate) {
    choices.learningRate = atLeast("learning rate", learningRate, 0);
    return given("learningRate");
  }

  /**
   * Learning rate of each layer group as a share of that of the one behind it (arXiv 1801.06146 has
   * 1/2.6). Groups are the stem, every stage, and the head with the classifier, which has the
   * learning rate itself.
   *
   * @param layerDecay above 0, at most 1; 1 means the same for all
   * @return this
   */
  public TrainConfig layerDecay(double layerDecay) {
    choices.layerDecay = share("layer decay", layerDecay);
    return given("layerDecay");
  }

  /**
   * Learning rate of everything but the classifier, as a share of the classifier's.
   *
   * @param featureRate above 0, at most 1; 1 means the same for all
   * @return this
   */
  public TrainConfig featureRate(double featureRate) {
    choices.featureRate = share("feature rate", featureRate);
    return given("featureRate");
  }

  /**
   * Momentum; below 0 means the optimizer's usual one.
   *
   * @param momentum a number below 1, or a negative number
   * @return this
   */
  public TrainConfig momentum(double momentum) {
    choices.momentum = momentum;
    return given("momentum");
  }

  /**
   * Weight decay of weights; BatchNorm and biases have none.
   *
   * @param weightDecay a number
   * @return this
   */
  public TrainConfig weightDecay(double weightDecay) {
    choices.weightDecay = atLeast("weight decay", weightDecay, 0);
    return given("weightDecay");
  }

  /**
   * Share of the target that is spread over all classes.
   *
   * @param labelSmoothing 0 up to but not 1
   * @return this
   */
  public TrainConfig labelSmoothing(double labelSmoothing) {
    choices.labelSmoothing = atLeast("label smoothing", labelSmoothing, 0);
    return given("labelSmoothing");
  }

  /**
   * Epochs of linear warm-up; at most a tenth of the run. One-cycle has its own.
   *
   * @param warmUpEpochs a number
   * @return this
   */
  public TrainConfig warmUpEpochs(double warmUpEpochs) {
    choices.warmUpEpochs = atLeast("warm-up", warmUpEpochs, 0);
    return given("warmUpEpochs");
  }

  /**
   * Largest 2-norm of the gradients; 0 means any.
   *
   * @param clipNorm a number
   * @return this
   */
  public TrainConfig clipNorm(double clipNorm) {
    choices.clipNorm = atLeast("clip norm", clipNorm, 0);
    return given("clipNorm");
  }

  /**
   * Decay of the moving average of the weights, with the ramp min(decay, (1+n)/(10+n)); 0 means
   * none.
   *
   * @param emaDecay 0 up to but not 1
   * @return this
   */
  public TrainConfig emaDecay(double emaDecay) {
    choices.emaDecay = atLeast("EMA decay", emaDecay, 0);
    return given("emaDecay");
  }

  /**
   * Whether training images are mirrored at random.
   *
   * @param flip true to mirror
   * @return this
   */
  public TrainConfig flip(boolean flip) {
    choices.flip = flip;
    return given("flip");
  }

  /**
   * Pixels by which training images of IDX files are shifted at random, at most; below 0 means 2.
   *
   * @param jitter a number
   * @return this
   */
  public TrainConfig jitter(int jitter) {
    choices.jitter = jitter;
    return given("jitter");
  }

  /**
   * Storage type of activations. F16 has dynamic loss scaling.
   *
   * @param dtype F32, BF16 or F16
   * @return this
   */
  public TrainConfig dtype(DType dtype) {
    choices.dtype = Objects.requireNonNull(dtype, "dtype");
    return given("dtype");
  }

  /**
   * Whether products of F32 tensors may be TF32's, which tensor cores make; see {@link
   * io.fusewire.ops.Stream#allowTf32(boolean)} for what that rounds. Without effect on a CPU.
   *
   * @param allowed whether they may; false by default
   * @return this
   */
  public TrainConfig allowTf32(boolean allowed) {
    choices.allowTf32 = allowed;
    return given("allowTf32");
  }

  /**
   * Seed of everything random: initial weights, order, augmentation, dropout.
   *
   * @param seed any number
   * @return this
   */
  public TrainConfig seed(long seed) {
    choices.seed = seed;
    return given("seed");
  }

  /**
   * Uses only so many training images, drawn evenly over the classes; 0 means all.
   *
   * @param trainLimit a number
   * @return this
   */
  public TrainConfig trainLimit(int trainLimit) {
    choices.trainLimit = atLeast("limit", trainLimit, 0);
    return given("trainLimit");
  }

  /**
   * Name of the device: {@code best}, {@code cpu}, {@code cuda} or {@code cuda:N}.
   *
   * @param device as {@link io.fusewire.ops.Device#of} takes it
   * @return this
   */
  public TrainConfig device(String device) {
    choices.device = Objects.requireNonNull(device, "device");
    return given("device");
  }

  /**
   * CPU threads; 0 means all cores.
   *
   * @param threads a number
   * @return this
   */
  public TrainConfig threads(int threads) {
    choices.threads = atLeast("threads", threads, 0);
    return given("threads");
  }

  /**
   * Seconds between checkpoints; there is always one at the end of an epoch and when stopped.
   *
   * @param checkpointSeconds a number
   * @return this
   */
  public TrainConfig checkpointSeconds(int checkpointSeconds) {
    choices.checkpointSeconds = atLeast("checkpoint seconds", checkpointSeconds, 1);
    return given("checkpointSeconds");
  }

  /**
   * A checkpoint, or a run's directory, to go on from; null starts anew. Options that were not set
   * are then the checkpoint's, and one that was set to something else is refused.
   *
   * @param resume a path or null
   * @return this
   */
  public TrainConfig resume(Path resume) {
    choices.resume = resume;
    return given("resume");
  }

  /**
   * The run's directory; null means {@code runs/<time>}, or that of the resumed run. One that has
   * another run's model or checkpoint is refused when the run starts.
   *
   * @param out a path or null
   * @return this
   */
  public TrainConfig out(Path out) {
    choices.out = out;
    return given("out");
  }

  private TrainConfig given(String option) {
    choices.given.add(option);
    return this;
  }

  private static double share(String what, double value) {
    if (!(value > 0 && value <= 1)) {
      throw new IllegalArgumentException(
          "%s: %s is not a number above 0 and of at most 1".formatted(what, value));
    }
    return value;
  }

  private static int atLeast(String what, int value, int low) {
    atLeast(what, (double) value, low);
    return value;
  }

  private static double atLeast(String what, double value, int low) {
    if (!(value >= low && value < Integer.MAX_VALUE)) {
      throw new IllegalArgumentException(
          "%s: %s is not a number of at least %s".formatted(what, value, low));
    }
    return value;
  }
}
