// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.data.Dataset;
import io.fusewire.data.Framing;
import io.fusewire.data.Split;
import io.fusewire.graph.HeadTrainingNetwork;
import io.fusewire.graph.ImageInput;
import io.fusewire.model.Architecture;
import io.fusewire.model.ArchitectureBuilder;
import io.fusewire.model.Interpolation;
import io.fusewire.model.Parameters;
import io.fusewire.model.Preprocessing;
import io.fusewire.ops.DType;
import io.fusewire.ops.OptimizerSettings;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/**
 * A configuration with every choice made: what "0 means the usual one" comes to for the data and
 * the model at hand.
 */
final class RunPlan {
  private static final int SHORT_RUN_EPOCHS = 10;
  private static final int IDX_RESOLUTION = 32;
  private static final int IDX_JITTER = 2;

  /** Trained weights are moved more carefully than random ones. */
  private static final double FINE_TUNING_RATE = 0.1;

  private static final List<Float> IMAGENET_MEAN = List.of(0.485f, 0.456f, 0.406f);
  private static final List<Float> IMAGENET_STD = List.of(0.229f, 0.224f, 0.225f);

  final TrainChoices choices;
  final Split split;
  final Architecture net;
  final Preprocessing preprocessing;
  final ImageInput trainInput;
  final int[] trainImages;
  final int stepsPerEpoch;
  final long totalSteps;
  final long warmUpSteps;

  /** What is trained: all of the network's parameters, or some, with places of their own. */
  final Parameters trained;

  /** All of the network's parameters and statistics to start from. */
  final float[] initialValues;

  private final List<String> messages = new ArrayList<>();

  private RunPlan(TrainChoices choices, StartingPoint start, Split split) throws IOException {
    this.choices = choices;
    this.split = split;
    Dataset train = split.train();
    int classes = train.classNames().size();
    if (choices.classes == 0) {
      choices.classes = classes;
    } else if (choices.classes < classes) {
      throw new IllegalArgumentException(
          "%s has %d classes, the model is to have %d"
              .formatted(split.name(), classes, choices.classes));
    }
    choices.model = start.net().name();
    choices.padding = choices.padding == null ? start.net().padding() : choices.padding;
    ArchitectureBuilder<?> builder =
        start.net().toBuilder()
            .resolution(choices.resolution)
            .classes(choices.classes)
            .inputChannels(train.channels())
            .samples(choices.samples)
            .averageLogits(choices.averageLogits)
            .padding(choices.padding);
    Architecture published = builder.build();
    boolean brief = choices.epochs < SHORT_RUN_EPOCHS;
    choices.dropout = choices.dropout < 0 ? published.dropout() : choices.dropout;
    choices.dropConnect = choose(choices.dropConnect, brief ? 0 : published.dropConnect());
    choices.batchNormMomentum =
        choose(choices.batchNormMomentum, brief ? 0.1 : published.batchNormMomentum());
    net =
        builder
            .dropout(choices.dropout)
            .dropConnect(choices.dropConnect)
            .batchNorm(published.batchNormEpsilon(), choices.batchNormMomentum)
            .build();
    preprocessing = preprocessing(split, choices.resolution, start);
    boolean headOnly = choices.freeze == Freeze.FEATURES;
    trained = headOnly ? HeadTrainingNetwork.trained(net) : net.parameters();
    initialValues = initialValues(choices, start, train.classNames());
    choices.jitter = choices.jitter < 0 ? IDX_JITTER : choices.jitter;
    // Pictures of a folder come with a random crop already.
    trainInput = new ImageInput(preprocessing, split.tight() ? choices.jitter : -1, choices.flip);
    trainImages = trainImages(train, choices.trainLimit);
    stepsPerEpoch = trainImages.length / choices.batch;
    if (stepsPerEpoch == 0) {
      throw new IllegalArgumentException(
          "a batch of %d needs as many training images; there are %d"
              .formatted(choices.batch, trainImages.length));
    }
    totalSteps = (long) stepsPerEpoch * choices.epochs;
    warmUpSteps = Math.round(Math.min(choices.warmUpEpochs, choices.epochs / 10.0) * stepsPerEpoch);
  }

  private static double choose(double value, double usual) {
    return value < 0 ? usual : value;
  }

  /** Fills in what the data must be opened for: the network's resolution. */
  static TrainChoices beforeData(TrainChoices given, StartingPoint start) {
    TrainChoices choices = new TrainChoices(given);
    boolean small = Split.isIdx(choices.data);
    boolean fineTuned = !choices.init.isEmpty();
    if (choices.resolution == 0) {
      // Weights of small images know their size, others are for large ones.
      boolean own = !small || (start.preprocessing() != null && start.preprocessing().wholeImage());
      choices.resolution = own ? start.net().resolution() : IDX_RESOLUTION;
    }
    choices.batch = choices.batch == 0 ? (small ? 128 : 64) : choices.batch;
    choices.epochs = choices.epochs == 0 ? (small ? 4 : 20) : choices.epochs;
    if (choices.batch < 2) {
      throw new IllegalArgumentException("a batch of 1 has no variance; BatchNorm needs 2 or more");
    }
    if (choices.momentum < 0) {
      choices.momentum = choices.optimizer.momentum();
    }
    if (choices.learningRate == 0) {
      boolean careful = fineTuned && choices.freeze == Freeze.NONE;
      choices.learningRate =
          choices.optimizer.usualLearningRate()
              * choices.batch
              / 256
              * (careful ? FINE_TUNING_RATE : 1);
    }
    if (choices.freeze == Freeze.FEATURES && !fineTuned) {
      throw new IllegalArgumentException(
          "frozen features need initial weights (--init), or they would stay random");
    }
    if (choices.freeze == Freeze.FEATURES
        && (choices.layerDecay != 1 || choices.featureRate != 1)) {
      throw new IllegalArgumentException(
          "frozen features have no learning rate; layer decay and feature rate are for those that"
              + " train");
    }
    if (choices.momentum >= 1 || choices.labelSmoothing >= 1 || choices.emaDecay >= 1) {
      throw new IllegalArgumentException(
          "momentum %s, label smoothing %s and EMA decay %s are to be below 1"
              .formatted(choices.momentum, choices.labelSmoothing, choices.emaDecay));
    }
    if (!choices.dtype.isFloating()) {
      throw new IllegalArgumentException(
          "activations are stored as F32, BF16 or F16, not " + choices.dtype);
    }
    return choices;
  }

  /** Makes every choice. */
  static RunPlan of(TrainChoices beforeData, StartingPoint start, Split split) throws IOException {
    return new RunPlan(new TrainChoices(beforeData), start, split);
  }

  /** How pictures of a folder become squares. */
  static Framing framing(int resolution, StartingPoint start) {
    Preprocessing how = photographs(resolution, start);
    return new Framing(resolution, how.shorterSide(), how.interpolation());
  }

  /** As the initial weights expect photographs, or as is usual. */
  private static Preprocessing photographs(int resolution, StartingPoint start) {
    Preprocessing own = start.preprocessing();
    boolean colour = own != null && own.mean().size() == 3;
    boolean cropped = own != null && !own.wholeImage();
    return Preprocessing.ofPhotographs(
        resolution,
        cropped ? own.interpolation() : Interpolation.BILINEAR,
        cropped ? own.cropFraction() : Preprocessing.USUAL_CROP_FRACTION,
        colour ? own.mean() : IMAGENET_MEAN,
        colour ? own.std() : IMAGENET_STD);
  }

  private float[] initialValues(
      TrainChoices choices, StartingPoint start, List<String> classNames) {
    float[] random = net.parameters().initialValues(choices.seed);
    if (start.weights() == null) {
      return random;
    }
    InitialWeights initial =
        InitialWeights.fit(start.weights(), choices.init, net, classNames, random);
    messages.add(initial.message());
    if (trained != net.parameters()) {
      messages.add(
          String.format(
              Locale.ROOT,
              "features are frozen: %,d of %,d parameters are trained",
              trained.trainedCount(),
              net.parameters().trainedCount()));
    }
    return initial.values();
  }

  /** What the plan has to say to people. */
  List<String> messages() {
    return List.copyOf(messages);
  }

  /** Learning rates of the network's layer groups. */
  LearningRates learningRates() {
    return new LearningRates(net.parameters(), choices.layerDecay, choices.featureRate);
  }

  private static Preprocessing preprocessing(Split split, int resolution, StartingPoint start) {
    Dataset train = split.train();
    if (!split.tight()) {
      return photographs(resolution, start);
    }
    // A resolution a little above the images' own gives them a margin; any other resamples them.
    int side = Math.max(train.height(), train.width());
    boolean margin = resolution >= side && resolution <= side + side / 4;
    Preprocessing own = statistics(train, margin ? resolution : side);
    Preprocessing expected = start.preprocessing();
    return expected != null && expected.mean().size() == train.channels()
        ? own.normalisedAs(expected)
        : own;
  }

  /** Mean and standard deviation of every channel over the whole training set. */
  private static Preprocessing statistics(Dataset data, int window) {
    int channels = data.channels();
    byte[] image = new byte[data.height() * data.width() * channels];
    long[] sum = new long[channels];
    long[] squares = new long[channels];
    for (int i = 0; i < data.size(); i++) {
      data.read(i, 0, image, 0);
      for (int p = 0; p < image.length; p++) {
        int value = image[p] & 0xFF;
        sum[p % channels] += value;
        squares[p % channels] += (long) value * value;
      }
    }
    double count = (double) data.size() * data.height() * data.width();
    List<Float> mean = new ArrayList<>();
    List<Float> std = new ArrayList<>();
    for (int c = 0; c < channels; c++) {
      double average = sum[c] / count;
      double variance = Math.max(squares[c] / count - average * average, 1);
      mean.add((float) (average / 255));
      std.add((float) (Math.sqrt(variance) / 255));
    }
    return new Preprocessing(
        data.height(),
        data.width(),
        window,
        true,
        Interpolation.BILINEAR,
        Preprocessing.USUAL_CROP_FRACTION,
        mean,
        std);
  }

  /** All training images, or the first few of every class in turn. */
  private static int[] trainImages(Dataset data, int limit) {
    int count = data.size();
    int wanted = limit == 0 ? count : Math.min(limit, count);
    if (wanted == count) {
      return java.util.stream.IntStream.range(0, count).toArray();
    }
    List<List<Integer>> byClass = new ArrayList<>();
    data.classNames().forEach(name -> byClass.add(new ArrayList<>()));
    for (int i = 0; i < count; i++) {
      byClass.get(data.label(i)).add(i);
    }
    int[] images = new int[wanted];
    int filled = 0;
    for (int round = 0; filled < wanted; round++) {
      for (List<Integer> members : byClass) {
        if (round < members.size() && filled < wanted) {
          images[filled++] = members.get(round);
        }
      }
    }
    return images;
  }

  /** The order of an epoch: a permutation by seed and epoch, so that it can be had again. */
  int[] order(long epoch) {
    int[] order = trainImages.clone();
    SplittableRandom random = new SplittableRandom(choices.seed * 0x9E3779B97F4A7C15L + epoch);
    for (int i = order.length - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      int swap = order[i];
      order[i] = order[j];
      order[j] = swap;
    }
    return order;
  }

  /**
   * Threads that prepare batches: one where images are in memory, else as many as there are cores.
   */
  int decodeThreads() {
    int cores = choices.threads > 0 ? choices.threads : Runtime.getRuntime().availableProcessors();
    return split.tight() ? 1 : Math.max(1, Math.min(cores, 16));
  }

  /** Bytes of one image as it comes to the device. */
  long imageBytes() {
    return (long) preprocessing.height() * preprocessing.width() * preprocessing.mean().size();
  }

  OptimizerSettings optimizer() {
    OptimizerKind kind = choices.optimizer;
    OptimizerSettings settings =
        switch (kind) {
          case SGD -> OptimizerSettings.sgd(true);
          case RMSPROP -> OptimizerSettings.rmsProp((float) kind.decay(), (float) kind.epsilon());
          case ADAMW -> OptimizerSettings.adamW((float) kind.decay(), (float) kind.epsilon());
        };
    if (choices.clipNorm > 0) {
      settings = settings.withClipNorm((float) choices.clipNorm);
    }
    return choices.dtype == DType.F16 ? settings.withDynamicLossScale(2, 0.5f, 2000) : settings;
  }
}
