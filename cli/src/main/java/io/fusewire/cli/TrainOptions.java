// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import io.fusewire.model.Padding;
import io.fusewire.ops.DType;
import io.fusewire.train.Freeze;
import io.fusewire.train.OptimizerKind;
import io.fusewire.train.Schedule;
import io.fusewire.train.TrainConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.function.Function;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/**
 * What can be chosen about a training run. An option that is not given leaves the library's
 * default.
 */
final class TrainOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Mixin private DeviceOption device;

  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "DATA",
      description =
          "fashion-mnist (the default), a folder with train/<class>/* and val/<class>/* images, or a "
              + "folder of IDX files.")
  private String data;

  @Option(names = "--data", paramLabel = "DATA", description = "The same as DATA by itself.")
  private String dataOption;

  @Option(
      names = "--model",
      paramLabel = "NAME",
      description =
          "Such as b0, lite0, v2_s or resnet18; 'fusewire info' lists them (default: that of --init, else"
              + " b0).")
  private String model;

  @Option(
      names = "--init",
      paramLabel = "FILE",
      description =
          "Weights to start from: a model.safetensors or a run's folder, or a file of timm, "
              + "torchvision, efficientnet_pytorch, TensorFlow or Keras. It decides model, padding, "
              + "BatchNorm's constants, resolution and preprocessing unless options do.")
  private Path init;

  @Mixin private LibraryOption library;

  @Option(
      names = "--freeze",
      paramLabel = "PART",
      converter = FreezeConverter.class,
      description = "features: train the classifier alone, on the features of --init.")
  private Freeze freeze;

  @Option(
      names = "--layer-decay",
      paramLabel = "F",
      description =
          "Learning rate of each layer group (stem, stages, head with classifier) as a share of that "
              + "of the next one (default: 1).")
  private Double layerDecay;

  @Option(
      names = "--feature-rate",
      paramLabel = "F",
      description = "Learning rate of all but the classifier as a share of its own (default: 1).")
  private Double featureRate;

  @Option(
      names = "--resolution",
      paramLabel = "PIXELS",
      description = "Input height and width (default: 32 for small images, else the model's own).")
  private Integer resolution;

  @Option(
      names = "--classes",
      paramLabel = "N",
      description = "Number of classes (default: as many as the data has).")
  private Integer classes;

  @Option(
      names = "--batch",
      paramLabel = "N",
      description = "Images per step (default: 128 for small images, else 64).")
  private Integer batch;

  @Option(
      names = "--epochs",
      paramLabel = "N",
      description = "Passes over the training images (default: 4 for small images, else 20).")
  private Integer epochs;

  @Option(
      names = "--samples",
      paramLabel = "N",
      description = "Dropout samples of the head (default: 8; 1 is ordinary dropout).")
  private Integer samples;

  @Option(
      names = "--average-logits",
      description = "Average the samples' logits instead of their losses.")
  private boolean averageLogits;

  @Option(
      names = "--dropout",
      paramLabel = "P",
      description = "Dropout before the classifier (default: the model's own).")
  private Double dropout;

  @Option(
      names = "--drop-connect",
      paramLabel = "P",
      description = "Drop-connect rate that grows with depth.")
  private Double dropConnect;

  @Option(
      names = "--schedule",
      paramLabel = "NAME",
      converter = ScheduleConverter.class,
      description = "one-cycle (the default), cosine, exponential (the official one), constant.")
  private Schedule schedule;

  @Option(
      names = "--optimizer",
      paramLabel = "NAME",
      converter = OptimizerConverter.class,
      description = "rmsprop (the default), sgd, adamw.")
  private OptimizerKind optimizer;

  @Option(
      names = "--learning-rate",
      paramLabel = "RATE",
      description =
          "Highest learning rate (default: the optimizer's usual one for the batch, a tenth of it "
              + "when all of --init is trained further).")
  private Double learningRate;

  @Option(names = "--momentum", paramLabel = "M", description = "Momentum; AdamW's first beta.")
  private Double momentum;

  @Option(
      names = "--weight-decay",
      paramLabel = "D",
      description = "Weight decay of weights, not of biases and BatchNorm (default: 1e-5).")
  private Double weightDecay;

  @Option(
      names = "--label-smoothing",
      paramLabel = "S",
      description = "Share of the target spread over all classes (default: 0.1).")
  private Double labelSmoothing;

  @Option(
      names = "--ema",
      paramLabel = "D",
      description = "Decay of the moving average of the weights; 0 is none (default: 0.9999).")
  private Double emaDecay;

  @Option(
      names = "--padding",
      paramLabel = "NAME",
      converter = PaddingConverter.class,
      description =
          "same (TensorFlow's) or symmetric (PyTorch's) (default: --init's, else the"
              + " model's own).")
  private Padding padding;

  @Option(names = "--no-flip", description = "Do not mirror training images at random.")
  private boolean noFlip;

  // Without a default here: a resumed run keeps what it was started with.
  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      converter = DTypeOption.Converter.class,
      description = "Storage of activations: f32 (the default), bf16 or f16.")
  private DType dtype;

  @Option(
      names = "--allow-tf32",
      description = "Products of f32 on a GPU's tensor cores, as TF32 (11 significant bits).")
  private boolean allowTf32;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Seed of weights, order, augmentation and dropout (default: 1).")
  private Long seed;

  @Option(
      names = "--limit",
      paramLabel = "N",
      description = "Use only so many training images, evenly over the classes.")
  private Integer limit;

  @Option(
      names = "--checkpoint-seconds",
      paramLabel = "N",
      description = "Seconds between checkpoints (default: 60).")
  private Integer checkpointSeconds;

  /** The library's configuration; a value that cannot be is wrong usage. */
  TrainConfig config() {
    TrainConfig config = new TrainConfig();
    try {
      fill(config);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
    return config;
  }

  /**
   * Reads the weights to start from, if there are any. A resumed run has its own and is only told
   * the name.
   *
   * @param log is told whose weights they are
   */
  void addInitialWeights(TrainConfig config, boolean resumed, PrintWriter log) throws IOException {
    if (init == null) {
      return;
    }
    if (resumed) {
      config.init(init);
    } else {
      config.init(init.toString(), library.read(init, log));
    }
  }

  private void fill(TrainConfig config) {
    if (device.given()) {
      config.device(device.device().name());
    }
    if (device.threads() != 0) {
      config.threads(device.threads());
    }
    if (averageLogits) {
      config.averageLogits(true);
    }
    if (data != null && dataOption != null) {
      throw new IllegalArgumentException(
          "data is given twice: " + data + " and --data " + dataOption);
    }
    if (library.given() && init == null) {
      throw new IllegalArgumentException("--as says whose weights --init has; there is none");
    }
    // A library that there is not is wrong usage, said before anything is read.
    library.options();
    if (freeze == Freeze.FEATURES && (layerDecay != null || featureRate != null)) {
      throw new IllegalArgumentException(
          "frozen features have no learning rate for --layer-decay or --feature-rate");
    }
    set(data == null ? dataOption : data, config::data);
    set(freeze, config::freeze);
    set(layerDecay, config::layerDecay);
    set(featureRate, config::featureRate);
    set(model, config::model);
    set(positive("--resolution", resolution), config::resolution);
    set(positive("--classes", classes), config::classes);
    set(positive("--batch", batch), config::batch);
    set(positive("--epochs", epochs), config::epochs);
    set(samples, config::samples);
    set(dropout, config::dropout);
    set(dropConnect, config::dropConnect);
    set(schedule, config::schedule);
    set(optimizer, config::optimizer);
    set(learningRate, config::learningRate);
    set(momentum, config::momentum);
    set(weightDecay, config::weightDecay);
    set(labelSmoothing, config::labelSmoothing);
    set(emaDecay, config::emaDecay);
    set(padding, config::padding);
    set(dtype, config::dtype);
    if (allowTf32) {
      config.allowTf32(true);
    }
    set(seed, config::seed);
    set(limit, config::trainLimit);
    set(checkpointSeconds, config::checkpointSeconds);
    if (noFlip) {
      config.flip(false);
    }
  }

  /** In the library 0 stands for "choose"; who types a number means it. */
  private static Integer positive(String option, Integer value) {
    if (value != null && value < 1) {
      throw new IllegalArgumentException(option + " is " + value + "; at least 1 fits");
    }
    return value;
  }

  private interface Setter<T> {
    TrainConfig set(T value);
  }

  private static <T> void set(T value, Setter<T> setter) {
    if (value != null) {
      setter.set(value);
    }
  }

  /** A name that fits no constant is wrong usage, with the list of those there are. */
  private static <T> T named(String name, Function<String, T> find) {
    try {
      return find.apply(name);
    } catch (IllegalArgumentException e) {
      throw new TypeConversionException(e.getMessage());
    }
  }

  private static <E extends Enum<E>> E constant(Class<E> type, String what, String name) {
    for (E constant : type.getEnumConstants()) {
      if (constant.name().equalsIgnoreCase(name)) {
        return constant;
      }
    }
    StringBuilder there = new StringBuilder();
    for (E constant : type.getEnumConstants()) {
      there.append(there.isEmpty() ? "" : ", ").append(constant.name().toLowerCase(Locale.ROOT));
    }
    throw new TypeConversionException(
        "there is no " + what + " '" + name + "'; there are " + there);
  }

  private static final class ScheduleConverter implements ITypeConverter<Schedule> {
    @Override
    public Schedule convert(String name) {
      return named(name, Schedule::byName);
    }
  }

  private static final class FreezeConverter implements ITypeConverter<Freeze> {
    @Override
    public Freeze convert(String name) {
      return named(name, Freeze::byName);
    }
  }

  private static final class OptimizerConverter implements ITypeConverter<OptimizerKind> {
    @Override
    public OptimizerKind convert(String name) {
      return named(name, OptimizerKind::byName);
    }
  }

  private static final class PaddingConverter implements ITypeConverter<Padding> {
    @Override
    public Padding convert(String name) {
      return constant(Padding.class, "padding", name);
    }
  }
}
