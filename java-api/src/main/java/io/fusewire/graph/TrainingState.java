// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Parameters;
import io.fusewire.ops.LossScale;
import io.fusewire.ops.OptimizerSettings;
import io.fusewire.ops.StepState;
import io.fusewire.ops.Stream;
import java.util.Arrays;

/**
 * Everything on the device that outlives a training step: parameters, gradients, optimizer state,
 * moving average, and the small state of the step and of loss scaling. Each of the large ones is
 * one buffer with the same offsets.
 */
public final class TrainingState implements AutoCloseable {
  private final ParameterBuffer values;
  private final ParameterBuffer gradients;
  private final ParameterBuffer state0;
  private final ParameterBuffer state1;
  private final ParameterBuffer average;
  private final StepState step;
  private final LossScale lossScale;

  /**
   * Allocates everything. Gradients and optimizer state start as zeros, RMSProp's mean square as
   * ones.
   *
   * @param stream a stream of the device
   * @param parameters of the network
   * @param kind which optimizer, which decides how many states there are
   * @param withAverage whether to keep a moving average of the parameters
   * @param initialScale loss scale to start with; 1 without loss scaling
   */
  public TrainingState(
      Stream stream,
      Parameters parameters,
      OptimizerSettings.Kind kind,
      boolean withAverage,
      float initialScale) {
    var device = stream.device();
    values = new ParameterBuffer(device, parameters, false);
    gradients = new ParameterBuffer(device, parameters, true);
    state0 = new ParameterBuffer(device, parameters, true);
    state1 = kind.states() > 1 ? new ParameterBuffer(device, parameters, true) : null;
    average = withAverage ? new ParameterBuffer(device, parameters, false) : null;
    step = new StepState(stream);
    lossScale = new LossScale(stream, initialScale);
    gradients.all().fill(stream, 0);
    state0.all().fill(stream, 0);
    if (state1 != null) {
      float[] start = new float[Math.toIntExact(parameters.trainedElements())];
      if (kind == OptimizerSettings.Kind.RMSPROP) {
        Arrays.fill(start, 1f);
      }
      state1.load(stream, start);
    }
  }

  /**
   * Bytes that such a state takes.
   *
   * @param parameters of the network
   * @param kind which optimizer
   * @param withAverage whether a moving average is kept
   * @return bytes, but for a few hundred
   */
  public static long bytes(
      Parameters parameters, OptimizerSettings.Kind kind, boolean withAverage) {
    return Float.BYTES
        * (parameters.elements() * (withAverage ? 2 : 1)
            + parameters.trainedElements() * (1 + kind.states()));
  }

  /**
   * Parameters and running statistics.
   *
   * @return the buffer
   */
  public ParameterBuffer values() {
    return values;
  }

  /**
   * Gradients of what is trained.
   *
   * @return the buffer
   */
  public ParameterBuffer gradients() {
    return gradients;
  }

  /**
   * Momentum, or AdamW's first moment.
   *
   * @return the buffer
   */
  public ParameterBuffer state0() {
    return state0;
  }

  /**
   * RMSProp's mean square, or AdamW's second moment.
   *
   * @return the buffer; null for SGD
   */
  public ParameterBuffer state1() {
    return state1;
  }

  /**
   * Moving average of parameters and running statistics.
   *
   * @return the buffer; null if none is kept
   */
  public ParameterBuffer average() {
    return average;
  }

  /**
   * What changes from step to step.
   *
   * @return the step's state
   */
  public StepState step() {
    return step;
  }

  /**
   * State of loss scaling.
   *
   * @return the loss scale
   */
  public LossScale lossScale() {
    return lossScale;
  }

  @Override
  public void close() {
    values.close();
    gradients.close();
    state0.close();
    if (state1 != null) {
      state1.close();
    }
    if (average != null) {
      average.close();
    }
    step.close();
    lossScale.close();
  }
}
