// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.DropoutHeadProblem;
import io.fusewire.binding.Fusewire;

/**
 * Multi-sample-dropout head (arXiv 1905.09788): several dropout masks over the same pooled
 * features, one shared classifier, softmax cross-entropy with label smoothing, everything in F32.
 *
 * <p>Element i = n*channels+c of sample m is kept when its Philox uniform (word i%4 of counter
 * (i/4, m, step, layer)) is at least the dropout rate; kept values are scaled by 1/(1-dropout). No
 * mask is stored; backward draws the same numbers. One sample is ordinary dropout. Labels are I32
 * (batch); a negative one means "ignore this image": no loss, no gradient, not correct. A label of
 * classes or more gives a NaN loss. All tensors are on the stream's device. Every method throws
 * {@link IllegalArgumentException} for a tensor that does not fit and {@link IllegalStateException}
 * for a closed one, before anything is launched. One object may serve any number of streams and
 * threads.
 */
public final class DropoutHead {
  private static final String FORWARD = "DropoutHead.forward";
  private static final String BACKWARD = "DropoutHead.backward";
  private static final String INFERENCE = "DropoutHead.inference";
  private static final String CROSS_ENTROPY = "DropoutHead.crossEntropy";

  private final long batch;
  private final long channels;
  private final long classes;
  private final long sets;
  private final float dropout;
  private final DropoutHeadProblem problem;

  /**
   * Describes a head.
   *
   * @param batch images, 0 allowed
   * @param channels pooled features per image
   * @param classes classes
   * @param samples dropout masks, at least 1; more than 8 bring little
   * @param dropout probability of dropping a feature, at least 0 and less than 1
   * @param labelSmoothing target = (1-e)*onehot + e/classes; at least 0 and less than 1
   * @param mode how the samples are combined
   * @param layer number of the random stream, different for every layer of a network
   * @throws IllegalArgumentException if a value is out of range
   */
  public DropoutHead(
      long batch,
      long channels,
      long classes,
      long samples,
      float dropout,
      float labelSmoothing,
      SampleMode mode,
      int layer) {
    String name = "DropoutHead";
    this.batch = Checks.notNegative(name, "batch", batch);
    this.channels = Checks.positive(name, "channels", channels);
    this.classes = Checks.positive(name, "classes", classes);
    Checks.positive(name, "samples", samples);
    this.dropout = Checks.rate(name, "dropout", dropout);
    Checks.rate(name, "labelSmoothing", labelSmoothing);
    Checks.notNull(name, "mode", mode);
    Checks.product(name, "pooled", 4, Math.max(batch, 1), channels);
    Checks.product(name, "weights", 4, classes, channels);
    Checks.product(name, "diffLogits", 4, samples, Math.max(batch, 1), classes);
    this.sets = mode == SampleMode.AVERAGE_LOGITS ? 1 : samples;
    NativeLibrary.load();
    this.problem =
        Struct.allocate(DropoutHeadProblem.class, DropoutHeadProblem::new)
            .mode(mode.code())
            .layer(layer)
            .batch(batch)
            .channels(channels)
            .classes(classes)
            .samples(samples)
            .dropout(dropout)
            .label_smoothing(labelSmoothing);
  }

  /**
   * Number of logit sets that have a gradient of their own: samples, or 1 for {@link
   * SampleMode#AVERAGE_LOGITS}.
   *
   * @return the first size of diffLogits
   */
  public long sets() {
    return sets;
  }

  /**
   * Workspace that every method of this object is content with.
   *
   * @param stream a stream of the device in question
   * @return bytes, 0 if none is needed
   */
  public long workspaceBytes(Stream stream) {
    return ByteCount.of(
        "DropoutHead.workspaceBytes", stream, problem, Fusewire::fw_dropout_head_workspace);
  }

  /**
   * Computes losses and the gradient of the logits.
   *
   * @param stream where it runs
   * @param step the training step; null only if dropout is 0
   * @param pooled (batch, channels)
   * @param weights (classes, channels)
   * @param bias (classes)
   * @param labels (batch), I32
   * @param losses (batch), overwritten
   * @param correct (batch), I32, overwritten: 1 if the mean of the samples' logits has its maximum
   *     at the label
   * @param diffLogits ({@link #sets}, batch, classes), overwritten: the gradient of the mean of
   *     losses over the images that count, before loss scaling
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void forward(
      Stream stream,
      StepState step,
      Tensor pooled,
      Tensor weights,
      Tensor bias,
      Tensor labels,
      Tensor losses,
      Tensor correct,
      Tensor diffLogits,
      Tensor workspace) {
    long handle = Checks.stream(FORWARD, stream);
    long stepAddress = StepState.address(FORWARD, step, stream, dropout > 0);
    long pooledAddress = f32(FORWARD, "pooled", pooled, stream, batch, channels);
    long weightsAddress = f32(FORWARD, "weights", weights, stream, classes, channels);
    long biasAddress = f32(FORWARD, "bias", bias, stream, classes);
    long labelsAddress = Checks.tensor(FORWARD, "labels", labels, stream, DType.I32, batch);
    long lossesAddress = f32(FORWARD, "losses", losses, stream, batch);
    long correctAddress = Checks.tensor(FORWARD, "correct", correct, stream, DType.I32, batch);
    long diffLogitsAddress =
        Checks.tensor(FORWARD, "diffLogits", diffLogits, stream, DType.F32, sets, batch, classes);
    long workspaceAddress = Checks.workspace(FORWARD, workspace, stream);
    Status.check(
        Fusewire.fw_dropout_head_forward(
            handle,
            problem,
            stepAddress,
            pooledAddress,
            weightsAddress,
            biasAddress,
            labelsAddress,
            lossesAddress,
            correctAddress,
            diffLogitsAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(step, pooled, weights, bias);
    Checks.reachable(labels, losses, correct, diffLogits);
    Checks.reachable(workspace, null, null, null);
  }

  /**
   * Computes the gradients of features, weights and bias, multiplied by the loss scale.
   *
   * @param stream where it runs
   * @param step the training step, as forward had it; null only if dropout is 0
   * @param lossScale the loss scale, or null for 1
   * @param pooled (batch, channels), as forward had it
   * @param weights (classes, channels)
   * @param diffLogits as forward wrote it
   * @param diffPooled (batch, channels), overwritten
   * @param diffWeights (classes, channels), overwritten
   * @param diffBias (classes), overwritten
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void backward(
      Stream stream,
      StepState step,
      LossScale lossScale,
      Tensor pooled,
      Tensor weights,
      Tensor diffLogits,
      Tensor diffPooled,
      Tensor diffWeights,
      Tensor diffBias,
      Tensor workspace) {
    long handle = Checks.stream(BACKWARD, stream);
    long stepAddress = StepState.address(BACKWARD, step, stream, dropout > 0);
    long lossScaleAddress = LossScale.address(BACKWARD, lossScale, stream, false);
    long pooledAddress = f32(BACKWARD, "pooled", pooled, stream, batch, channels);
    long weightsAddress = f32(BACKWARD, "weights", weights, stream, classes, channels);
    long diffLogitsAddress =
        Checks.tensor(BACKWARD, "diffLogits", diffLogits, stream, DType.F32, sets, batch, classes);
    long diffPooledAddress = f32(BACKWARD, "diffPooled", diffPooled, stream, batch, channels);
    long diffWeightsAddress = f32(BACKWARD, "diffWeights", diffWeights, stream, classes, channels);
    long diffBiasAddress = f32(BACKWARD, "diffBias", diffBias, stream, classes);
    long workspaceAddress = Checks.workspace(BACKWARD, workspace, stream);
    Checks.disjoint(BACKWARD, "diffPooled", diffPooled, "pooled", pooled);
    Status.check(
        Fusewire.fw_dropout_head_backward(
            handle,
            problem,
            stepAddress,
            lossScaleAddress,
            pooledAddress,
            weightsAddress,
            diffLogitsAddress,
            diffPooledAddress,
            diffWeightsAddress,
            diffBiasAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(step, lossScale, pooled, weights);
    Checks.reachable(diffLogits, diffPooled, diffWeights, diffBias);
    Checks.reachable(workspace, null, null, null);
  }

  /**
   * Classifies without dropout.
   *
   * @param stream where it runs
   * @param pooled (batch, channels)
   * @param weights (classes, channels)
   * @param bias (classes)
   * @param logits (batch, classes), overwritten
   * @param probabilities (batch, classes), overwritten; or null
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void inference(
      Stream stream,
      Tensor pooled,
      Tensor weights,
      Tensor bias,
      Tensor logits,
      Tensor probabilities,
      Tensor workspace) {
    long handle = Checks.stream(INFERENCE, stream);
    long pooledAddress = f32(INFERENCE, "pooled", pooled, stream, batch, channels);
    long weightsAddress = f32(INFERENCE, "weights", weights, stream, classes, channels);
    long biasAddress = f32(INFERENCE, "bias", bias, stream, classes);
    long logitsAddress = f32(INFERENCE, "logits", logits, stream, batch, classes);
    long probabilitiesAddress =
        probabilities == null
            ? 0
            : f32(INFERENCE, "probabilities", probabilities, stream, batch, classes);
    long workspaceAddress = Checks.workspace(INFERENCE, workspace, stream);
    Checks.disjoint(INFERENCE, "logits", logits, "pooled", pooled);
    Checks.disjoint(INFERENCE, "probabilities", probabilities, "logits", logits);
    Status.check(
        Fusewire.fw_dropout_head_inference(
            handle,
            problem,
            pooledAddress,
            weightsAddress,
            biasAddress,
            logitsAddress,
            probabilitiesAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(pooled, weights, bias, logits);
    Checks.reachable(probabilities, workspace, null, null);
  }

  /**
   * Evaluates logits, without dropout.
   *
   * @param stream where it runs
   * @param logits (batch, classes)
   * @param labels (batch), I32
   * @param losses (batch), overwritten: cross-entropy with label smoothing
   * @param correct (batch), I32, overwritten: 1 if the logits have their maximum at the label
   */
  public void crossEntropy(
      Stream stream, Tensor logits, Tensor labels, Tensor losses, Tensor correct) {
    long handle = Checks.stream(CROSS_ENTROPY, stream);
    long logitsAddress = f32(CROSS_ENTROPY, "logits", logits, stream, batch, classes);
    long labelsAddress = Checks.tensor(CROSS_ENTROPY, "labels", labels, stream, DType.I32, batch);
    long lossesAddress = f32(CROSS_ENTROPY, "losses", losses, stream, batch);
    long correctAddress =
        Checks.tensor(CROSS_ENTROPY, "correct", correct, stream, DType.I32, batch);
    Status.check(
        Fusewire.fw_cross_entropy(
            handle, problem, logitsAddress, labelsAddress, lossesAddress, correctAddress));
    Checks.reachable(logits, labels, losses, correct);
  }

  private static long f32(String operation, String name, Tensor tensor, Stream stream, long a) {
    return Checks.tensor(operation, name, tensor, stream, DType.F32, a);
  }

  private static long f32(
      String operation, String name, Tensor tensor, Stream stream, long a, long b) {
    return Checks.tensor(operation, name, tensor, stream, DType.F32, a, b);
  }
}
