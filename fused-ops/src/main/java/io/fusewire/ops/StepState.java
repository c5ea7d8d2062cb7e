// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import io.fusewire.binding.Step;

/**
 * What changes from training step to training step, in device memory, so that a captured step can
 * be replayed: the random seed and step number of dropout, drop-connect and augmentation, and the
 * optimizer's rates. Setting it waits for nothing: work given to the stream before sees the old
 * values, work given after it the new ones.
 */
public final class StepState implements AutoCloseable {
  private final Tensor tensor;
  private final Step host;

  /**
   * Allocates the state with every value 0.
   *
   * @param stream a stream of the device in question
   * @throws DeviceMemoryException if the device has no memory left
   */
  public StepState(Stream stream) {
    Checks.stream("StepState", stream);
    this.host = Struct.allocate(Step.class, Step::new);
    this.tensor = Tensor.allocate(stream.device(), DType.U8, host.sizeof());
    send(stream);
  }

  /**
   * Sets what randomness depends on.
   *
   * @param stream where the values are needed next
   * @param seed key of the Philox generator
   * @param step number of the training step, from 0; unsigned
   * @return this
   */
  public StepState random(Stream stream, long seed, int step) {
    host.seed(seed).step(step);
    send(stream);
    return this;
  }

  /**
   * Sets everything.
   *
   * @param stream where the values are needed next
   * @param seed key of the Philox generator
   * @param step number of the training step, from 0; unsigned
   * @param learningRate of this step
   * @param momentum SGD's and RMSProp's momentum, AdamW's beta1
   * @param emaDecay ema = emaDecay*ema + (1-emaDecay)*parameter
   * @param biasCorrection1 AdamW: 1-beta1^t with t = steps including this one; others ignore it
   * @param biasCorrection2 AdamW: 1-beta2^t; others ignore it
   * @return this
   */
  public StepState set(
      Stream stream,
      long seed,
      int step,
      float learningRate,
      float momentum,
      float emaDecay,
      float biasCorrection1,
      float biasCorrection2) {
    host.seed(seed)
        .step(step)
        .learning_rate(learningRate)
        .momentum(momentum)
        .ema_decay(emaDecay)
        .bias_correction_1(biasCorrection1)
        .bias_correction_2(biasCorrection2);
    send(stream);
    return this;
  }

  private void send(Stream stream) {
    long handle = Checks.stream("StepState.set", stream);
    long address = Checks.tensor("StepState.set", "the state", tensor, stream, DType.U8);
    Status.check(Fusewire.fw_write(handle, address, host.address(), tensor.bytes()));
    Checks.reachable(tensor, host, stream, null);
  }

  static long address(String operation, StepState step, Stream stream, boolean needed) {
    if (step == null) {
      if (needed) {
        throw new IllegalArgumentException(
            operation
                + ": step is null, but random numbers are drawn; it may be null only if none are");
      }
      return 0;
    }
    return Checks.tensor(operation, "step", step.tensor, stream, DType.U8);
  }

  /** Frees the device memory. Closing twice does nothing. */
  @Override
  public void close() {
    tensor.close();
  }
}
