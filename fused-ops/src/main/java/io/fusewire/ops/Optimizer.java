// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import io.fusewire.binding.OptimizerProblem;

/**
 * Updates all parameters of a {@link ParameterTable} in few launches, with weight decay, clipping,
 * loss scaling and moving averages. Call {@link #examine}, then {@link #step}, once per training
 * step.
 */
public final class Optimizer {
  private static final String EXAMINE = "Optimizer.examine";
  private static final String STEP = "Optimizer.step";

  private final OptimizerSettings settings;
  private final OptimizerProblem problem;

  /**
   * Creates an optimizer; its state is in the table.
   *
   * @param settings which optimizer
   */
  public Optimizer(OptimizerSettings settings) {
    Checks.notNull("Optimizer", "settings", settings);
    this.settings = settings;
    NativeLibrary.load();
    this.problem =
        Struct.allocate(OptimizerProblem.class, OptimizerProblem::new)
            .kind(settings.kind().code())
            .nesterov(settings.nesterov() ? 1 : 0)
            .decay(settings.decay())
            .epsilon(settings.epsilon())
            .clip_norm(settings.clipNorm())
            .dynamic_loss_scale(settings.dynamicLossScale() ? 1 : 0)
            .growth_factor(settings.growthFactor())
            .backoff_factor(settings.backoffFactor())
            .growth_interval(settings.growthInterval());
  }

  /**
   * The settings.
   *
   * @return as given
   */
  public OptimizerSettings settings() {
    return settings;
  }

  /**
   * Workspace of {@link #examine}.
   *
   * @param stream a stream of the device in question
   * @param table the parameters
   * @return bytes, 0 if none is needed
   */
  public long workspaceBytes(Stream stream, ParameterTable table) {
    long handle = Checks.stream("Optimizer.workspaceBytes", stream);
    Checks.notNull("Optimizer.workspaceBytes", "table", table);
    long[] bytes = new long[1];
    Status.check(Fusewire.fw_optimizer_workspace(handle, table.blocks(), bytes));
    return bytes[0];
  }

  /**
   * Looks for an overflow in all gradients and computes their 2-norm, unscaled, into the loss
   * scale's state.
   *
   * @param stream where it runs
   * @param table the parameters
   * @param lossScale what the gradients were multiplied by
   * @param workspace U8 with at least {@link #workspaceBytes} bytes at a multiple of 16; null if
   *     that is 0
   */
  public void examine(Stream stream, ParameterTable table, LossScale lossScale, Tensor workspace) {
    long handle = Checks.stream(EXAMINE, stream);
    Checks.notNull(EXAMINE, "table", table);
    long tableAddress = table.address(EXAMINE, stream, settings.kind());
    long lossScaleAddress = LossScale.address(EXAMINE, lossScale, stream, true);
    long workspaceAddress = Checks.workspace(EXAMINE, workspace, stream);
    Status.check(
        Fusewire.fw_optimizer_gradients(
            handle,
            problem,
            tableAddress,
            table.size(),
            table.blocks(),
            lossScaleAddress,
            workspaceAddress,
            Checks.workspaceBytes(workspace)));
    Checks.reachable(table, lossScale, workspace, null);
  }

  /**
   * Updates the parameters, their state and averages; gradients are divided by the loss scale and
   * clipped. Nothing changes if the last {@link #examine} found an overflow. Then the loss scale
   * grows or backs off, if it is dynamic.
   *
   * @param stream where it runs
   * @param table the parameters
   * @param step learning rate, momentum and decay of this step
   * @param lossScale what the gradients were multiplied by
   */
  public void step(Stream stream, ParameterTable table, StepState step, LossScale lossScale) {
    long handle = Checks.stream(STEP, stream);
    Checks.notNull(STEP, "table", table);
    Checks.notNull(STEP, "step", step);
    long tableAddress = table.address(STEP, stream, settings.kind());
    long stepAddress = StepState.address(STEP, step, stream, true);
    long lossScaleAddress = LossScale.address(STEP, lossScale, stream, true);
    Status.check(
        Fusewire.fw_optimizer_step(
            handle,
            problem,
            tableAddress,
            table.size(),
            table.blocks(),
            stepAddress,
            lossScaleAddress));
    Checks.reachable(table, step, lossScale, null);
  }
}
