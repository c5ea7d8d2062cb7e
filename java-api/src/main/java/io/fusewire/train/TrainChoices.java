// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.model.Padding;
import io.fusewire.ops.DType;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;

/**
 * What was chosen about a training run, with the defaults of what was not. {@link TrainConfig} says
 * what each means; where 0, a negative number or nothing stands for the usual choice, {@link
 * RunPlan} puts that in its place.
 */
final class TrainChoices {
  String data = "fashion-mnist";
  String model = "";
  String init = "";
  ModelFile weights;
  Freeze freeze = Freeze.NONE;
  int resolution;
  int classes;
  int batch;
  int epochs;
  int samples = 8;
  boolean averageLogits;
  double dropout = -1;
  double dropConnect = -1;
  double batchNormMomentum = -1;
  Padding padding;
  Schedule schedule = Schedule.ONE_CYCLE;
  OptimizerKind optimizer = OptimizerKind.RMSPROP;
  double learningRate;
  double layerDecay = 1;
  double featureRate = 1;
  double momentum = -1;
  double weightDecay = 1e-5;
  double labelSmoothing = 0.1;
  double warmUpEpochs = 5;
  double clipNorm;
  double emaDecay = 0.9999;
  boolean flip = true;
  int jitter = -1;
  DType dtype = DType.F32;
  boolean allowTf32;
  long seed = 1;
  int trainLimit;
  String device = "best";
  int threads;
  int checkpointSeconds = 60;
  Path resume;
  Path out;

  /** Options that were given, by name; the others may be replaced by a checkpoint's. */
  final Set<String> given = new HashSet<>();

  TrainChoices() {}

  TrainChoices(TrainChoices other) {
    data = other.data;
    model = other.model;
    init = other.init;
    weights = other.weights;
    freeze = other.freeze;
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
    layerDecay = other.layerDecay;
    featureRate = other.featureRate;
    momentum = other.momentum;
    weightDecay = other.weightDecay;
    labelSmoothing = other.labelSmoothing;
    warmUpEpochs = other.warmUpEpochs;
    clipNorm = other.clipNorm;
    emaDecay = other.emaDecay;
    flip = other.flip;
    jitter = other.jitter;
    dtype = other.dtype;
    allowTf32 = other.allowTf32;
    seed = other.seed;
    trainLimit = other.trainLimit;
    device = other.device;
    threads = other.threads;
    checkpointSeconds = other.checkpointSeconds;
    resume = other.resume;
    out = other.out;
    given.addAll(other.given);
  }
}
