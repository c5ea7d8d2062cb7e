// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import io.fusewire.binding.LossScaleState;

/**
 * Loss scaling for F16, in device memory: the loss is multiplied by a scale so that small gradients
 * do not vanish; when gradients overflow, the optimizer skips the step and lowers the scale. Also
 * holds the norm of the last gradients. With scale 1 and a fixed scale it is what training without
 * loss scaling uses.
 */
public final class LossScale implements AutoCloseable {
  /**
   * State at one moment.
   *
   * @param scale the loss is multiplied by this
   * @param goodSteps steps since the last overflow or growth
   * @param overflow whether the last gradients had an infinity or NaN, so that the optimizer
   *     changed nothing
   * @param skipped steps skipped so far
   * @param gradientNorm 2-norm of the last gradients, unscaled
   */
  public record Values(
      float scale, int goodSteps, boolean overflow, int skipped, float gradientNorm) {}

  private final Tensor tensor;
  private final LossScaleState host;

  /**
   * Allocates the state.
   *
   * @param stream a stream of the device in question
   * @param scale initial scale, finite and more than 0
   * @throws DeviceMemoryException if the device has no memory left
   */
  public LossScale(Stream stream, float scale) {
    Checks.stream("LossScale", stream);
    checkScale(scale);
    this.host = Struct.allocate(LossScaleState.class, LossScaleState::new);
    this.tensor = Tensor.allocate(stream.device(), DType.U8, host.sizeof());
    set(stream, new Values(scale, 0, false, 0, 0));
  }

  private static void checkScale(float scale) {
    if (!(scale > 0 && scale < Float.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          "LossScale: scale is " + scale + ", finite and more than 0 fits");
    }
  }

  /**
   * Replaces the state, as when training resumes.
   *
   * @param stream where the state is needed next
   * @param values the new state
   */
  public void set(Stream stream, Values values) {
    String operation = "LossScale.set";
    Checks.notNull(operation, "values", values);
    checkScale(values.scale());
    long handle = Checks.stream(operation, stream);
    long address = Checks.tensor(operation, "the state", tensor, stream, DType.U8);
    host.scale(values.scale())
        .good_steps(values.goodSteps())
        .overflow(values.overflow() ? 1 : 0)
        .skipped(values.skipped())
        .gradient_norm(values.gradientNorm());
    Status.check(Fusewire.fw_write(handle, address, host.address(), tensor.bytes()));
    Checks.reachable(tensor, host, stream, null);
  }

  /**
   * Reads the state.
   *
   * @param stream a stream whose earlier work is done first
   * @return the state now
   */
  public Values read(Stream stream) {
    String operation = "LossScale.read";
    long handle = Checks.stream(operation, stream);
    long address = Checks.tensor(operation, "the state", tensor, stream, DType.U8);
    Status.check(Fusewire.fw_copy_to_host(handle, host.address(), address, tensor.bytes()));
    Checks.reachable(tensor, host, stream, null);
    return new Values(
        host.scale(),
        host.good_steps(),
        host.overflow() != 0,
        host.skipped(),
        host.gradient_norm());
  }

  static long address(String operation, LossScale scale, Stream stream, boolean needed) {
    if (scale == null && !needed) {
      return 0;
    }
    Checks.notNull(operation, "lossScale", scale);
    return Checks.tensor(operation, "lossScale", scale.tensor, stream, DType.U8);
  }

  /** Frees the device memory. Closing twice does nothing. */
  @Override
  public void close() {
    tensor.close();
  }
}
